import Logging
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyFileIO
import UnderstudyProtocol
import UnderstudySource
import UnderstudyWAL

/// One clone: the copy with its settings, then the start.
final class CloneRun: @unchecked Sendable {
    // Sendable: `copy` runs to its end on one thread before `start` is called; never two at once.
    private let options: StandbyClone.Options
    private let interrupt: Interrupt
    private let logger: Logger
    private let backup: BackupRun

    // What `copy` leaves for `start`.
    private var version = ServerVersion.oldestServed
    private var programs: ServerPrograms?
    private var passwordFile: PasswordFile?
    private var passfileOfServer: String?
    private var hasConfiguration = true
    private var result: BackupResult?
    private var slotWasMade = false
    /// The login as it worked, and the settings that it worked with.
    private var login: ConnectionParameters?
    private var settings: [ConnectionParameters.Setting] = []

    init(
        options: StandbyClone.Options, interrupt: Interrupt, logger: Logger, backup: BackupRun
    ) {
        self.options = options
        self.interrupt = interrupt
        self.logger = logger
        self.backup = backup
    }

    /// The login, at the server that was found.
    private var parameters: ConnectionParameters { backup.parameters }

    // MARK: - The copy

    /// Runs on a thread of its own.
    func copy() throws(UnderstudyError) {
        try checkOptions()
        // Once its standby streams, that moves the slot.
        backup.mayBeUndone = options.start != nil
        do throws(UnderstudyError) {
            result = try backup.run(inspect: inspect, complete: complete)
        } catch {
            if error.code != .damagedPages && options.backup.cleanUp { passwordFile?.restore() }
            throw error
        }
    }

    private func checkOptions() throws(UnderstudyError) {
        if options.configFile != nil && options.generateConfig {
            throw UnderstudyError(
                .options, "an existing configuration and a generated one exclude each other",
                hint: "Give --config-file or --generate-config, not both.")
        }
        if let port = options.port, !(1...65535).contains(port) {
            throw UnderstudyError(.options, "port \(port) is out of range", hint: "Choose a port from 1 to 65535.")
        }
        if let file = options.configFile { try checkConfigFile(file) }
        if let path = options.passfile {
            passwordFile = try PasswordFile(path, owner: options.backup.owner?.fileOwner)
        }
    }

    private func checkConfigFile(_ file: String) throws(UnderstudyError) {
        let path = absolutePath(file)
        do throws(FileIOError) {
            let name = RelativePath(String(path.split(separator: "/").last ?? ""))
            _ = try ConfinedDirectory(path: OwnedDirectory.parent(of: path)).openFile(name, flags: 0)
        } catch {
            throw UnderstudyError(
                .configuration, error.description,
                hint: "Name a postgresql.conf that exists, for example one that pg_createcluster has made.")
        }
    }

    private func inspect(_ session: Session, _ server: ServerFacts) throws(UnderstudyError) {
        version = server.version
        try backup.checkPrimaryConnInfo(session, passfile: passwordFile?.path)
        if options.start != nil || options.binDirectory != nil {
            programs = try ServerPrograms(version, given: options.binDirectory)
        } else {
            programs = try? ServerPrograms(version, given: nil)
        }
        let look = try PrimaryLook(
            parameters, version: version, slot: options.slot, interrupt: interrupt,
            patience: options.backup.stallTimeout, logger: logger)
        if look.configurationIsInside == false && options.start != nil && !mayStartWithoutOwnConfiguration {
            throw Self.noConfiguration(code: .options)
        }
    }

    private var mayStartWithoutOwnConfiguration: Bool {
        options.configFile != nil || options.generateConfig
    }

    private static func noConfiguration(code: UnderstudyError.Code) -> UnderstudyError {
        UnderstudyError(
            code, "the data directory of the primary has no postgresql.conf, so a copy does not start by itself",
            detail: "Debian and its kin keep the configuration files elsewhere.",
            hint:
                "Clone with --config-file FILE, which names a configuration for the standby (of pg_createcluster, for example), or with --generate-config for a minimal one."
        )
    }

    // MARK: - Settings

    private func complete(_ completed: BackupRun.Completed) throws(UnderstudyError) {
        slotWasMade = completed.slotWasMade
        var login = parameters
        for setting in completed.settings where ["user", "password", "passfile"].contains(setting.keyword) {
            login[setting.keyword] = setting.value
        }
        self.login = login
        settings = completed.settings.filter { $0.keyword != "dbname" }
        if let database = parameters["dbname"] { settings.append(.init(keyword: "dbname", value: database)) }
        var recovery = RecoveryFiles(
            completed, parameters: parameters, configFile: options.configFile.map(absolutePath), overridesCopied: true)
        recovery.port = options.port
        recovery.passfile = passwordFile?.path
        let connection = recovery.connection
        if !connection.dropped.isEmpty {
            logger.warning(
                "left out of primary_conninfo, because server version \(version) does not know or cannot use it: \(connection.dropped.joined(separator: ", "))"
            )
        }
        recovery.warn(logger)
        try writePasswordFile(recovery, connection)
        if options.generateConfig { try generateConfiguration(completed) }
        hasConfiguration = completed.directory.exists("postgresql.conf")
        for edit in try recovery.write() {
            logger.warning(
                "there is no \(edit.name) in the data directory; put these lines into the standby's configuration: \(edit.content)"
            )
        }
    }

    private func writePasswordFile(_ recovery: RecoveryFiles, _ connection: PrimaryConnInfo) throws(UnderstudyError) {
        guard let file = passwordFile?.path else { return }
        let lines: [String]
        do throws(Finding) {
            lines = try Passfile.lines(recovery.connectionSettings, forServer: version.number)
        } catch { throw UnderstudyError(error, .configuration) }
        if lines.isEmpty {
            logger.warning("no password was used to log in, so none is written to \"\(file)\"")
        }
        try passwordFile?.add(lines)
        if let path = connection.environmentPassfile {
            passfileOfServer = path
            logger.warning(
                "server version \(version) finds a password file only through its environment: start the standby with PGPASSFILE=\(ShellText.pasted(path))"
            )
        }
    }

    private func generateConfiguration(_ completed: BackupRun.Completed) throws(UnderstudyError) {
        let bytes: [UInt8]
        do throws(FileIOError) { bytes = try completed.directory.read("global/pg_control", atMost: 8192) } catch {
            throw UnderstudyError(error)
        }
        let control: ControlFile
        do throws(ControlFileError) { control = try ControlFile(parsing: bytes) } catch {
            throw UnderstudyError(.configuration, "could not read pg_control of the copy: \(error)")
        }
        var configuration = GeneratedConfiguration(serverVersion: version.number, controlFile: control)
        configuration.port = options.port
        for edit in configuration.files {
            guard !completed.directory.exists(RelativePath(edit.name)) else {
                logger.notice("\(edit.name) came with the copy and is kept")
                continue
            }
            _ = try RecoveryFiles.apply(edit, in: completed.directory, mode: completed.server.fileMode)
        }
    }

    // MARK: - The start

    func start(_ meter: ProgressMeter) async throws(UnderstudyError) -> StandbyClone.Result {
        guard let result else { throw UnderstudyError(.start, "there is no copy to start") }
        let server = StandbyServer(
            programs: programs ?? ServerPrograms(unchecked: nil),
            directory: backup.path, configFile: options.configFile.map(absolutePath),
            owner: options.backup.owner, passfile: passfileOfServer)
        var done = StandbyClone.Result(
            backup: result, slot: options.slot, slotWasMade: slotWasMade, startCommand: server.startCommand,
            standby: nil)
        let isStartable = hasConfiguration || options.configFile != nil
        guard let start = options.start else {
            if !isStartable {
                let finding = Self.noConfiguration(code: .start)
                logger.warning(
                    "\(finding.message)",
                    metadata: ["detail": "\(finding.detail ?? "")", "hint": "\(finding.hint ?? "")"])
            }
            return done
        }
        guard isStartable else {
            var error = Self.noConfiguration(code: .start)
            error.message =
                "the copy in \"\(backup.path)\" is complete, but cannot be started: it has no postgresql.conf"
            await keep()
            throw error
        }
        meter.enter(.starting)
        do throws(UnderstudyError) {
            done.standby = try await bringUp(server, start, meter)
        } catch  where error.code == .cancelled {
            guard await server.stopImmediately() else {
                logger.warning("the standby in \"\(backup.path)\" could not be stopped, so its files are kept")
                throw error
            }
            guard options.backup.cleanUp else { throw error }
            passwordFile?.restore()
            // On a thread of its own, and to its end: it waits for the primary.
            await undo()
            throw error
        } catch {
            await keep()
            throw error
        }
        return done
    }

    /// The copy stays, whatever became of its server.
    private func keep() async {
        let backup = backup
        try? await OwnThread.run("keep", interrupt: interrupt, failure: { UnderstudyError($0) }) {
            () throws(UnderstudyError) in try backup.keep()
        }
    }

    private func undo() async {
        do throws(FileIOError) {
            try await OwnThread.run("undo", interrupt: Interrupt(), failure: { $0 }) {
                [backup] () throws(FileIOError) in backup.undo(isHurried: true)
            }
        } catch {
            // Without a thread of its own it blocks one of Swift's.
            backup.undo(isHurried: true)
        }
    }

    /// Starts the server, and waits until it streams and answers.
    private func bringUp(
        _ server: StandbyServer, _ start: StandbyClone.Start, _ meter: ProgressMeter
    ) async throws(UnderstudyError) -> StandbyState {
        let clock = ContinuousClock()
        let deadline = clock.now + start.wait
        try await server.start(wait: start.wait)
        let watch = StandbyWatch(server: server, version: version, login: settings, interrupt: interrupt)
        var last = StandbyWatch.Look()
        while true {
            let standing = server.standing()
            guard case .ours(let postmaster, _) = standing else { throw ended(standing, server) }
            last = await watch.look(at: postmaster)
            if Task.isCancelled { throw UnderstudyError(.cancelled, "the clone was cancelled") }
            try await StandbyEffect(server: server).check(last)
            if last.isStreaming && last.answersQueries {
                return StandbyState(
                    processID: postmaster.processID, port: postmaster.port,
                    socketDirectory: postmaster.socketDirectory, lagBytes: await lag(of: last))
            }
            guard clock.now < deadline else { throw late(last, start, server) }
            // The look is what is waited for; this only spares the server a busy loop.
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// No server is there that could be called the one that was started.
    private func ended(_ standing: StandbyServer.Standing, _ server: StandbyServer) -> UnderstudyError {
        let what =
            switch standing {
            case .none, .ours: "has stopped again"
            case .foreign(let process):
                "does not run: its postmaster.pid names process \(process), which is gone or no server of this directory"
            case .uncertain(let process):
                "is not known to run: its postmaster.pid names process \(process), which is not known to be the one that was started, and is left alone"
            }
        return UnderstudyError(
            .start, "the standby in \"\(backup.path)\" \(what)",
            hint: "Its log \"\(server.logPath)\" says why. The copy is complete and kept.")
    }

    private func late(
        _ look: StandbyWatch.Look, _ start: StandbyClone.Start, _ server: StandbyServer
    ) -> UnderstudyError {
        let what = look.isStreaming ? "answer queries" : "stream"
        return UnderstudyError(
            .start, "the standby in \"\(backup.path)\" runs, but did not \(what) within \(start.wait)",
            hint:
                "It is left running. Its log \"\(server.logPath)\" says what it waits for; give --wait more time if it is still replaying WAL."
        )
    }

    /// Bytes between what the primary has and what the standby has received.
    private func lag(of look: StandbyWatch.Look) async -> UInt64? {
        guard let received = look.received else { return nil }
        let login = login ?? parameters, interrupt = interrupt
        let identity = try? await OwnThread.run("lag", interrupt: interrupt, failure: ConnectionError.init(thread:)) {
            () throws(ConnectionError) in
            let session = try Session.connect(
                login, kind: .replication, applicationName: "understudy", interrupt: interrupt, patience: .seconds(5))
            let rows = try session.runForRows(ReplicationCommand.identifySystem)
            return try? SystemIdentity(rows)
        }
        guard let position = identity?.position else { return nil }
        return received.distance(to: position) ?? 0
    }
}
