import Understudy

/// The objects of `--progress=json` of a backup or clone.
enum ProgressJSON {
    static func object(_ progress: BackupProgress) -> JSONObject {
        JSONObject(kind: .progress, members: members(progress))
    }

    /// The last object of a clone that succeeded.
    static func done(_ result: StandbyClone.Result, last: BackupProgress?) -> JSONObject {
        let standby: JSONValue =
            if let standby = result.standby {
                .object([
                    ("processID", .integer(Int64(standby.processID))), ("port", .integer(Int64(standby.port))),
                    ("socketDirectory", .optional(standby.socketDirectory)),
                    ("lagBytes", .optional(standby.lagBytes)),
                ])
            } else {
                nil
            }
        return done(
            result.backup, last: last,
            [
                ("slot", .optional(result.slot)), ("startCommand", .string(result.startCommand)), ("standby", standby),
            ])
    }

    /// The last object of a backup that succeeded.
    ///
    /// - Parameter target: Where it is, as the command line names it.
    static func done(_ result: BackupResult, target: String, last: BackupProgress?) -> JSONObject {
        done(result, last: last, [("target", .string(target))])
    }

    private static func done(
        _ backup: BackupResult, last: BackupProgress?, _ more: [(String, JSONValue)]
    ) -> JSONObject {
        let members: [(String, JSONValue)] = [
            ("startLSN", .string(backup.startLSN.description)), ("endLSN", .string(backup.endLSN.description)),
            ("timeline", .unsigned(UInt64(backup.timeline.rawValue))),
            ("verifiedFiles", .optional(backup.verifiedFiles)), ("keptBytes", .unsigned(backup.keptBytes)),
        ]
        return end(.done, last, members + more)
    }

    /// The last object of a run that failed.
    static func failed(_ error: UnderstudyError, last: BackupProgress?) -> JSONObject {
        end(.failed, last, [("error", .object(JSONObject.members(of: error)))])
    }

    private static func end(
        _ phase: BackupProgress.Phase, _ last: BackupProgress?, _ more: [(String, JSONValue)]
    ) -> JSONObject {
        var progress = last ?? BackupProgress(phase: phase)
        progress.phase = phase
        return JSONObject(kind: .result, members: members(progress) + more)
    }

    private static func members(_ progress: BackupProgress) -> [(String, JSONValue)] {
        let fraction: JSONValue = progress.fraction.map { .number(($0 * 10_000).rounded(.down) / 10_000) } ?? nil
        let eta: JSONValue = progress.eta.map { .integer($0.components.seconds) } ?? nil
        return [
            ("phase", .string(progress.phase.rawValue)),
            ("bytesDone", .unsigned(progress.bytesDone)),
            ("bytesTotal", .optional(progress.bytesTotal)),
            ("fraction", fraction),
            ("bytesPerSecond", .unsigned(progress.bytesPerSecond)),
            ("etaSeconds", eta),
            ("tablespacesDone", .integer(Int64(progress.tablespacesDone))),
            ("tablespacesTotal", .integer(Int64(progress.tablespacesTotal))),
            ("elapsedSeconds", .number(Quantity.seconds(progress.elapsed))),
        ]
    }
}
