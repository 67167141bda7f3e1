import Glibc
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL

/// The server of a copy: started with pg_ctl, stopped by signals, queried with psql.
struct StandbyServer: Sendable {
    var programs: ServerPrograms
    var directory: String
    var configFile: String?
    /// The user that the server runs as; nil for this process's user.
    var owner: BaseBackup.Owner?
    /// Configuration files to be made before the start, by the command that is printed.
    var generated: [StandbyConfiguration.FileEdit] = []
    /// PGPASSFILE, for servers whose primary_conninfo cannot name a password file (before 10).
    var passfile: String?

    /// What the server says.
    var startLog: StartLog
    var logPath: String { startLog.path }
    /// When the server was started here; nil before, when no process counts as ours.
    let began = Monitor<UInt64?>(nil)
    /// The contents of pg_control in the copy before any start.
    private let controlBytes: [UInt8]?

    init(
        programs: ServerPrograms, directory: String, configFile: String? = nil, owner: BaseBackup.Owner? = nil,
        passfile: String? = nil, log: String? = nil, makesLog: Bool = false
    ) {
        self.programs = programs
        self.directory = directory
        self.configFile = configFile
        self.owner = owner
        self.passfile = passfile
        startLog = StartLog(
            directory: directory, configFile: configFile, given: log, user: owner?.fileOwner ?? .ofThisProcess,
            isMade: makesLog)
        controlBytes = Self.controlBytes(directory)
    }

    /// The start command, as a user types it.
    var startCommand: String {
        if let cluster = configFile.flatMap({ DebianConfiguration(file: $0) }), passfile == nil,
            cluster.leads(to: directory)
        {
            return cluster.startCommand.map(ShellText.pasted).joined(separator: " ")
        }
        let words = (passfile.map { ["env", "PGPASSFILE=\($0)"] } ?? []) + [programs.pgCtl] + startArguments(wait: nil)
        guard !generated.isEmpty else { return command(words) }
        let files = generated.map { file in
            let lines = file.content.lines.filter { !$0.hasPrefix("#") }.map { ShellText.pasted(String($0)) }
            return "printf '%s\\n' \(lines.joined(separator: " ")) > \(ShellText.pasted("\(directory)/\(file.name)"))"
        }
        return command(
            ["sh", "-c", (files + [words.map(ShellText.pasted).joined(separator: " ")]).joined(separator: " && ")])
    }

    var stopCommand: String { command([programs.pgCtl, "-D", directory, "-m", "fast", "stop"]) }

    private func command(_ words: [String]) -> String { Self.command(words, as: owner) }

    /// A command line that runs as the server's user.
    static func command(_ words: [String], as owner: BaseBackup.Owner?) -> String {
        var prefix: [String] = []
        // Only root can give files to another user, and no server runs as root.
        if let owner, geteuid() == 0 {
            prefix =
                userName(owner.user).map { ["runuser", "-u", $0, "--"] }
                ?? ["setpriv", "--reuid=\(owner.user)", "--regid=\(owner.group)", "--clear-groups", "--"]
        }
        return (prefix + words).map(ShellText.pasted).joined(separator: " ")
    }

    private func startArguments(wait: Duration?) -> [String] {
        var arguments = ["-D", directory, "-l", logPath]
        // A configuration file, even the primary's, may name another data directory: only this one is started.
        let file = configFile.map { "-c config_file=\(ShellText.word($0)) " } ?? ""
        arguments += ["-o", "\(file)-c data_directory=\(ShellText.word(directory))"]
        if let wait { arguments += ["-w", "-t", "\(max(1, wait.components.seconds))"] }
        return arguments + ["start"]
    }

    /// Starts the server and waits until it is up, or `wait` has passed.
    ///
    /// - Returns: Whether it is up.
    func start(wait: Duration) async throws(UnderstudyError) -> Bool {
        // pg_ctl would take any such file for that of a started server, whatever process it names.
        if (try? ConfinedDirectory(path: directory).exists("postmaster.pid")) == true {
            throw UnderstudyError(
                .start,
                "could not start the standby in \"\(directory)\": it has a file \"postmaster.pid\" already",
                detail: "No copy has such a file. A server may have been started there.",
                hint:
                    "The copy is complete and kept. If no server runs there, remove that file, and start it with: \(startCommand)"
            )
        }
        guard let now = RunningProcess.now() else {
            throw UnderstudyError(
                .start, "could not start the standby in \"\(directory)\": processes cannot be looked at",
                hint: "Mount proc(5) at /proc. The copy is complete and kept; start it with: \(startCommand)")
        }
        began.update { $0 = now }
        let starting = Task { await run(programs.pgCtl, startArguments(wait: wait)) }
        let (status, output) = try await withTaskCancellationHandler {
            await starting.value
        } onCancel: {
            Task { await endStart(starting) }
        }.get()
        if Task.isCancelled { throw UnderstudyError(.cancelled, "the start of the standby was cancelled") }
        guard status != 0 else { return true }
        let reason: String
        switch standing() {
        // pg_ctl stops waiting while a server that replays much WAL is still starting.
        case .ours: return false
        case .none: reason = ""
        case .foreign(let process):
            reason = "Its postmaster.pid names process \(process), which is no server of this directory. "
        case .uncertain(let process): reason = "Process \(process), which was not started here, may be its server. "
        }
        throw UnderstudyError(
            .start, "could not start the standby in \"\(directory)\"",
            detail: "\(reason)\(whatFailed ?? "pg_ctl says: \(ServerLog(output).lastLines)")",
            hint:
                "The server's log is \"\(logPath)\". The copy is complete and kept. When the cause is mended, start it with: \(startCommand)"
        )
    }

    /// The first error in the log since the start; nil if there is none.
    var whatFailed: String? { log.firstFailure.map { "The server says: \($0.text)" } }

    /// Stops the server by an immediate shutdown, if it runs: its files will be removed.
    ///
    /// - Returns: Whether no server runs there any more.
    func stopImmediately() async -> Bool {
        await end(SIGQUIT, killAfter: Self.serverStopLimit)
    }

    /// Stops the server by a fast shutdown, or by an immediate one if that fails.
    ///
    /// - Returns: Whether no server runs there any more.
    func stop() async -> Bool {
        if await end(SIGINT) { return true }
        return await end(SIGQUIT)
    }

    /// Whether the server that was started here has left recovery, according to pg_control, which needs no login. nil
    /// if pg_control cannot be read, or has not been written since the start.
    var hasLeftRecovery: Bool? {
        // A copy has the primary's state. The server writes its own before it replays anything.
        guard let bytes = Self.controlBytes(directory), bytes != controlBytes,
            let control = try? ControlFile(parsing: bytes)
        else { return nil }
        return control.state == .inProduction
    }

    private static func controlBytes(_ directory: String) -> [UInt8]? {
        try? ConfinedDirectory(path: directory).read("global/pg_control", atMost: 8192)
    }

    /// Runs a query as the server's own user, which Debian's and most other configurations let in by `peer`. Provides
    /// no password: the copy's pg_hba.conf determines where a requested password would go.
    func query(_ text: String, at place: StandbyAddress, port: Int, database: String) async -> String? {
        let arguments = [
            "-X", "-A", "-t", "-q", "-w", "-d", place.connectionString(port: port, database: database), "-c", text,
        ]
        let query = programRun(programs.psql, arguments, passfile: "/dev/null/none")
        // The server may never answer, and may not even let the client in.
        guard case .success((0, let output)) = await query.result(within: Self.longestQuery) else { return nil }
        return output
    }

    /// What the server has logged since it was started here.
    var log: ServerLog { ServerLog(startLog.read(atMost: 1 << 20)) }

    /// Makes the file for what the server says, if need be.
    mutating func prepareLog() throws(UnderstudyError) {
        do throws(FileIOError) { try startLog.prepare(owner?.fileOwner ?? .ofThisProcess) } catch {
            throw UnderstudyError(
                .start, "could not make the log of the standby's start: \(error)",
                remedy: "The copy is complete and kept. Name another place: \(.serverLog)", cause: error)
        }
    }

    func read(_ name: RelativePath) -> String? {
        guard let bytes = try? ConfinedDirectory(path: directory).read(name, atMost: 1 << 20) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func run(_ program: String, _ arguments: [String]) async -> Result<(Int32, String), UnderstudyError> {
        let result = await programRun(program, arguments, passfile: passfile).result()
        return result.mapError { error in
            var error = error
            error.hint = "The copy is complete and kept; start it with: \(startCommand)"
            return error
        }
    }

    private func programRun(_ program: String, _ arguments: [String], passfile: String?) -> ServerProgramRun {
        ServerProgramRun(
            program: program, arguments: arguments, directory: directory, owner: owner,
            environment: ServerEnvironment(owner: owner, passfile: passfile))
    }

    private static let longestQuery = Duration.seconds(5)
}
