import Glibc
import Understudy
import UnderstudyPlatform

extension Program {
    /// Set for the process that unpacks ahead: it has the command line of the call that started it.
    private static let aheadVariable = "UNDERSTUDY_READ_AHEAD"

    func restoreWAL(_ words: [String]) async -> Int32 {
        // A server that stops at once sends it; Swift would print where it was.
        _ = signal(SIGQUIT, SIG_DFL)
        var isMisuse = false
        let request = { () throws(UsageError) in
            do throws(UsageError) { return try RestoreWALPlan.read(words, environment: environment) } catch {
                isMisuse = true
                throw error
            }
        }
        let status = await run(.restoreWAL, words, as: .understudy, request) { await restoreWAL($0, words) }
        // A server would take 1 for the end of the archive.
        return isMisuse ? ExitStatus.doubt : status
    }

    private func restoreWAL(_ plan: RestoreWALPlan, _ words: [String]) async -> Int32 {
        let console = console(.understudy, verbose: plan.verbose)
        let recovery = WALRecovery(dataDirectory: ".")
        let choice = plan.choice(in: recovery)
        let restore = WALRestore(
            from: plan.directories,
            options: .init(
                servesDiverged: plan.servesDiverged, retryTime: choice.retryTime, readAhead: plan.readAhead),
            logger: console.logger)
        if environment(Self.aheadVariable) != nil {
            DetachedProcess.takeName(Personality.understudy.program)
            // Nobody reads what it says. Where the server is process 1, it looks at the exit status of all.
            try? await WALReadAhead(restore).run(after: plan.file, beside: plan.path)
            return ExitStatus.success
        }
        do throws(UnderstudyError) {
            switch try await restore.restore(plan.file, to: plan.path) {
            case .restored(let path, let isPartial):
                if isPartial {
                    console.notice("restored \"\(plan.file)\" from the partial segment \"\(path)\"")
                } else {
                    console.info("restored \"\(plan.file)\" from \"\(path)\"")
                    if plan.readAhead > 0, WALSegmentName.isSegmentName(plan.file) { readAhead(restore, plan, words) }
                }
                return ExitStatus.success
            case .absent:
                console.info("the archive does not have \"\(plan.file)\"")
                return ExitStatus.failure
            case .doubtful(let error):
                console.error(error)
                return end(recovery, stops: choice.stops, console)
            }
        } catch {
            console.error(error)
            return ExitStatus.doubt
        }
    }

    /// Says what the server does next.
    private func end(_ recovery: WALRecovery, stops: Bool, _ console: Console) -> Int32 {
        guard stops else {
            if recovery == .ending {
                console.warning(
                    "the server chooses its new timeline without knowing all that the archive has",
                    hint: "See that the archive has no other history of that timeline before WAL goes there.")
            }
            return ExitStatus.failure
        }
        if recovery.isRecovery {
            console.notice(
                "recovery is stopped here, not ended: the archive may hold more WAL",
                hint: "Mend what is wrong with the archive, and start the server again: it goes on from there.")
        }
        return ExitStatus.doubt
    }

    private func readAhead(_ restore: WALRestore, _ plan: RestoreWALPlan, _ words: [String]) {
        guard !restore.isReadingAhead(of: plan.file, to: plan.path) else { return }
        // Without it, restoring only takes longer.
        try? DetachedProcess.start(
            "\(Personality.understudy.program) (reading ahead)", [Command.restoreWAL.name] + words,
            environment: [Self.aheadVariable: "1"])
    }
}

extension ExitStatus {
    /// The status of a command line that cannot be read at all. In the directory of a server that recovers it may be a mistyped
    /// restore_command, of which 1 would end the recovery.
    static var misuse: Int32 { WALRecovery(dataDirectory: ".") == .endsByItself ? doubt : failure }
}
