import Glibc
import Subprocess
import Synchronization
import UnderstudyBackup
import UnderstudyFileIO

#if canImport(System)
    import System
#else
    import SystemPackage
    import UnderstudySource
#endif

/// The server of a copy: how it is started and stopped with pg_ctl.
struct StandbyServer: Sendable {
    var programs: ServerPrograms
    var directory: String
    var configFile: String?
    /// Whom the server runs as: nil for this process's user.
    var owner: BaseBackup.Owner?
    /// PGPASSFILE of the server, for those whose primary_conninfo cannot name a password file (before 10).
    var passfile: String?

    var logPath: String { "\(directory)/\(Self.logName)" }
    private static let logName: RelativePath = "start.log"
    /// Where the log of this start begins in the file.
    private let logStart: Int64

    init(
        programs: ServerPrograms, directory: String, configFile: String? = nil, owner: BaseBackup.Owner? = nil,
        passfile: String? = nil
    ) {
        self.programs = programs
        self.directory = directory
        self.configFile = configFile
        self.owner = owner
        self.passfile = passfile
        logStart = (try? ConfinedDirectory(path: directory).sizeAndMode(of: Self.logName).size) ?? 0
    }

    /// The command as a user types it.
    var startCommand: String {
        var words: [String] = []
        // Whoever may give files to others is root, as whom no server runs.
        if let owner, geteuid() == 0, let name = userName(owner.user) { words = ["runuser", "-u", name, "--"] }
        if let passfile { words += ["env", "PGPASSFILE=\(passfile)"] }
        words += [programs.pgCtl] + startArguments(wait: nil)
        return words.map(Self.quoted).joined(separator: " ")
    }

    private func startArguments(wait: Duration?) -> [String] {
        var arguments = ["-D", directory, "-l", logPath]
        if let configFile {
            // A configuration file outside may name another data directory; this one wins.
            arguments += [
                "-o", "-c config_file=\(Self.quoted(configFile)) -c data_directory=\(Self.quoted(directory))",
            ]
        }
        if let wait { arguments += ["-w", "-t", "\(max(1, wait.components.seconds))"] }
        return arguments + ["start"]
    }

    /// Starts the server and waits until it is up, or `wait` has passed.
    func start(wait: Duration) async throws(UnderstudyError) {
        let starting = Task { await run(programs.pgCtl, startArguments(wait: wait)) }
        let (status, output) = try await withTaskCancellationHandler {
            await starting.value
        } onCancel: {
            // Ends pg_ctl's wait, too.
            Task { await stopWhenUp(unless: starting) }
        }.get()
        if Task.isCancelled { throw UnderstudyError(.cancelled, "the start of the standby was cancelled") }
        guard status != 0 else { return }
        // pg_ctl gives up waiting while a server that replays much WAL is still on its way.
        if postmaster() != nil { return }
        throw UnderstudyError(
            .start, "could not start the standby in \"\(directory)\"",
            detail:
                "pg_ctl says: \(Self.lastLines(output)) The server's log \"\(logPath)\" says: \(Self.lastLines(log()))",
            hint:
                "The copy is complete and kept. When the cause is mended, start it with: \(startCommand)")
    }

    /// Stops the server at once, if it runs: what it has is going to be removed.
    ///
    /// - Returns: Whether no server runs there any more.
    func stopImmediately() async -> Bool {
        guard postmaster() != nil else { return true }
        let result = await run(programs.pgCtl, ["-D", directory, "-m", "immediate", "-w", "stop"])
        guard case .success((0, _)) = result else { return postmaster() == nil }
        return true
    }

    /// A server that is being started can be stopped only when it has written postmaster.pid.
    private func stopWhenUp(unless starting: Task<Result<(Int32, String), UnderstudyError>, Never>) async {
        let isOver = Atomic(false)
        let waiting = Task {
            _ = await starting.value
            isOver.store(true, ordering: .releasing)
        }
        while postmaster() == nil && !isOver.load(ordering: .acquiring) {
            try? await Task.sleep(for: .milliseconds(20))
        }
        _ = await stopImmediately()
        await waiting.value
    }

    /// Runs a query as the server's own user, whom Debian's and most configurations let in by `peer`.
    func query(_ text: String, at postmaster: PostmasterFile, database: String) async -> String? {
        let arguments = [
            "-X", "-A", "-t", "-q", "-w", "-h", postmaster.host, "-p", "\(postmaster.port)", "-d", database, "-c", text,
        ]
        guard case .success((0, let output)) = await run(programs.psql, arguments) else { return nil }
        return output
    }

    func postmaster() -> PostmasterFile? {
        read("postmaster.pid").flatMap(PostmasterFile.init)
    }

    /// Whether the last that the log has on streaming is that it began, in a server whose messages are English and
    /// go to the log of the start.
    var logTellsOfStreaming: Bool {
        let lines = log().split(separator: "\n")
        guard let last = lines.lastIndex(where: { $0.contains("started streaming WAL from primary at") }) else {
            return false
        }
        return !lines[last...].contains { $0.contains("FATAL:") || $0.contains("ERROR:") }
    }

    /// What was written to the log since the start; the copy may have brought an older part of it along.
    private func log() -> String {
        read(Self.logName, from: logStart) ?? ""
    }

    private func read(_ name: RelativePath, from offset: Int64 = 0) -> String? {
        guard let bytes = try? ConfinedDirectory(path: directory).read(name, from: offset, atMost: 1 << 20) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Runs a program to its end: cancelling the task does not kill it, for half a start helps nobody.
    private func run(_ program: String, _ arguments: [String]) async -> Result<(Int32, String), UnderstudyError> {
        await Task { await runToEnd(program, arguments) }.value
    }

    private func runToEnd(_ program: String, _ arguments: [String]) async -> Result<(Int32, String), UnderstudyError> {
        var options = PlatformOptions()
        // A group of its own: what the user types at the terminal must not end a start half-way.
        options.processGroupID = 0
        if let owner {
            options.userID = owner.user
            options.groupID = owner.group
            options.supplementaryGroups = groups(ofUser: owner.user, group: owner.group)
        }
        var environment = Environment.inherit
        if let passfile { environment = environment.updating(["PGPASSFILE": passfile]) }
        do {
            let result = try await Subprocess.run(
                .path(FilePath(program)), arguments: Arguments(arguments), environment: environment,
                workingDirectory: FilePath(directory), platformOptions: options, output: .string(limit: 1 << 16),
                error: .combinedWithOutput)
            guard case .exited(let status) = result.terminationStatus else {
                return .success((-1, result.standardOutput))
            }
            return .success((status, result.standardOutput))
        } catch {
            return .failure(
                UnderstudyError(
                    .start, "could not run \"\(program)\": \(error)",
                    hint: "The copy is complete and kept; start it with: \(startCommand)"))
        }
    }

    /// The last few lines, as one sentence.
    static func lastLines(_ text: String) -> String {
        text.split(separator: "\n").suffix(4).joined(separator: " | ")
    }

    /// A word for a shell.
    static func quoted(_ word: String) -> String {
        let plain = word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-=,:+@".contains($0)) }
        if plain && !word.isEmpty { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
