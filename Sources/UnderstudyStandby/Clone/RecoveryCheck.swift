import UnderstudyCore

/// Checks that a started server is a standby that replays. Copied settings, a trigger file or an administrator may have
/// changed that.
struct RecoveryCheck: Sendable {
    let server: StandbyServer

    /// Stops a server that has left recovery: it would be a second primary.
    func check(_ seen: StandbyWatch.Observation) async throws(UnderstudyError) {
        if server.hasLeftRecovery ?? (seen.isInRecovery == false) {
            let isStopped = await server.stop()
            throw UnderstudyError(
                .notInRecovery,
                "the server in \"\(server.directory)\" is not in recovery: it is no standby, but a primary of its own",
                detail: isStopped ? "It was stopped, and its files are kept." : "It could not be stopped.",
                hint:
                    "\(isStopped ? "" : "Stop it at once: \(server.stopCommand) ")Its log \"\(server.logPath)\" says what ended recovery. Mend that, remove the directory, and clone again."
            )
        }
        if seen.isReplayPaused {
            throw UnderstudyError(
                .start, "the standby in \"\(server.directory)\" has paused its replay",
                hint:
                    "It is left running. Its log \"\(server.logPath)\" says why. If it paused at a recovery target, stop it and take the target away: resumed, it would become a primary."
            )
        }
    }
}
