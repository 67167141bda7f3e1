import Logging
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// Starts the copy's server.
extension CloneRun {
    func start(_ meter: ProgressMeter) async throws(UnderstudyError) -> StandbyClone.Result {
        guard let result else { throw UnderstudyError(.start, "there is no copy to start") }
        var server = StandbyServer(
            programs: programs ?? ServerPrograms(unchecked: nil),
            directory: target.path, configFile: configFile,
            owner: options.backup.owner, passfile: passfileOfServer, log: options.log.map(absolutePath),
            makesLog: options.start != nil)
        let isStartable = hasConfiguration || configFile != nil
        // Another copy for the sake of a few small files would be too much to ask.
        // If that fails, the copy is complete all the same.
        if !isStartable, var generated = try? generatedConfiguration() {
            generated.port = generatedPort
            server.generated = generated.files
        }
        var done = StandbyClone.Result(
            backup: result, slot: options.slot.name, slotWasMade: slotWasMade, startCommand: server.startCommand,
            standby: nil)
        guard let start = options.start else {
            if !isStartable {
                logger.warning(
                    "the copy has no postgresql.conf: the command that starts it makes a minimal one first",
                    metadata: ["hint": .stringConvertible(Self.anotherConfiguration(server))])
            }
            return done
        }
        guard isStartable else {
            await keep()
            throw UnderstudyError(
                .start, "the copy in \"\(target.path)\" is complete, but cannot be started: it has no postgresql.conf",
                detail: "The copy is kept.",
                remedy:
                    "This makes a minimal one and starts it: \(server.startCommand)\n\(Self.anotherConfiguration(server))"
            )
        }
        meter.enter(.starting)
        do throws(UnderstudyError) {
            try server.prepareLog()
            done.standby = try await bringUp(server, start, meter)
        } catch  where error.code == .cancelled {
            guard await server.stopImmediately() else {
                logger.warning("the standby in \"\(target.path)\" could not be stopped, so its files are kept")
                throw error
            }
            guard options.backup.cleanUp else { throw error }
            passwordFile?.restore()
            server.startLog.remove()
            // On a separate thread, and to its end: it waits for the primary.
            await undo()
            throw error
        } catch {
            await keep()
            throw error
        }
        return done
    }

    private static func anotherConfiguration(_ server: StandbyServer) -> Remedy {
        var other = server
        (other.generated, other.configFile) = ([], "FILE")
        return Remedy("With a configuration that is there, FILE, it is: \(other.startCommand)")
    }

    /// Keeps the copy, whatever the state of its server.
    private func keep() async {
        let backup = backup
        try? await OwnThread.run("keep", interrupt: interrupt, failure: { UnderstudyError($0) }) {
            () throws(UnderstudyError) in try backup.keep()
        }
    }

    private func undo() async {
        do throws(FileIOError) {
            try await OwnThread.run("undo", interrupt: backup.hurry, failure: { $0 }) {
                [backup] () throws(FileIOError) in backup.undo()
            }
        } catch {
            // Without a separate thread, it blocks one of Swift's.
            backup.undo()
        }
    }

    /// Starts the server, and waits until it streams and answers.
    private func bringUp(
        _ server: StandbyServer, _ start: StandbyClone.Start, _ meter: ProgressMeter
    ) async throws(UnderstudyError) -> StandbyState {
        let clock = ContinuousClock()
        let deadline = clock.now + start.wait
        let primary = PrimaryWitness(
            login ?? parameters, slot: options.slot.name, access: backup.queryAccess, interrupt: interrupt)
        let isUp = try await server.start(wait: start.wait)
        var watch = StandbyWatch(
            server: server, version: version, login: settings, primary: primary, interrupt: interrupt, isUp: isUp)
        var last = StandbyWatch.Observation()
        while true {
            let standing = server.standing()
            guard case .ours(let postmaster, _) = standing else { throw ended(standing, server) }
            last = await watch.observe(postmaster)
            if Task.isCancelled { throw UnderstudyError(.cancelled, "the clone was cancelled") }
            try await RecoveryCheck(server: server).check(last)
            if last.isStreaming && last.answersQueries {
                return StandbyState(
                    processID: postmaster.processID, port: postmaster.port,
                    socketDirectory: postmaster.socketDirectory, lagBytes: await lag(of: last))
            }
            guard clock.now < deadline else { throw late(last, start, server) }
            // The loop waits for the server's state; the pause only keeps it from spinning.
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// The error when the server that was started has stopped, or cannot be identified.
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
            .start, "the standby in \"\(target.path)\" \(what)", detail: server.whatFailed,
            hint: "Its log \"\(server.logPath)\" says why. The copy is complete and kept.")
    }

    private func late(
        _ seen: StandbyWatch.Observation, _ start: StandbyClone.Start, _ server: StandbyServer
    ) -> UnderstudyError {
        let what = seen.isStreaming ? "answer queries" : "stream"
        return UnderstudyError(
            .start, "the standby in \"\(target.path)\" runs, but did not \(what) within \(start.wait)",
            detail: server.whatFailed,
            remedy: server.whatFailed != nil
                ? "It is left running, and tries again: mend what its log \"\(server.logPath)\" names."
                : "It is left running. Its log \"\(server.logPath)\" says what it waits for; give \(.wait) more time if it is still replaying WAL."
        )
    }

    /// Bytes of WAL that the primary has and the standby has not received; nil if unknown.
    private func lag(of seen: StandbyWatch.Observation) async -> UInt64? {
        guard let received = seen.received else { return nil }
        let login = login ?? parameters, interrupt = interrupt
        let identity = try? await OwnThread.run("lag", interrupt: interrupt, failure: ConnectionError.init(thread:)) {
            () throws(ConnectionError) in
            let session = try Session.connect(
                login, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                silenceLimit: .seconds(5))
            return try session.answer(to: .identifySystem)
        }
        guard let position = identity?.position else { return nil }
        return received.distance(to: position) ?? 0
    }
}
