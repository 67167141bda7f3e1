import Understudy

/// The objects of `--progress=json`.
enum ProgressJSON {
    static func object(_ progress: BackupProgress) -> JSONValue {
        .object(members(progress))
    }

    /// The last object of a clone that succeeded.
    static func done(_ result: StandbyClone.Result, last: BackupProgress?) -> JSONValue {
        var progress = last ?? BackupProgress(phase: .done)
        progress.phase = .done
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
        let backup = result.backup
        return .object(
            members(progress) + [
                ("startLSN", .string(backup.startLSN.description)), ("endLSN", .string(backup.endLSN.description)),
                ("timeline", .unsigned(UInt64(backup.timeline.rawValue))),
                ("verifiedFiles", .optional(backup.verifiedFiles)), ("slot", .optional(result.slot)),
                ("startCommand", .string(result.startCommand)), ("standby", standby),
            ])
    }

    /// The last object of a clone that failed.
    static func failed(_ error: UnderstudyError, last: BackupProgress?) -> JSONValue {
        var progress = last ?? BackupProgress(phase: .failed)
        progress.phase = .failed
        return .object(
            members(progress) + [
                (
                    "error",
                    .object([
                        ("message", .string(error.message)), ("detail", .optional(error.detail)),
                        ("hint", .optional(error.remedy?.commandLineText)), ("sqlstate", .optional(error.sqlState)),
                    ])
                )
            ])
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
