import Understudy

/// The objects of `--progress=json` of an archive of WAL.
enum ReceiveProgressJSON {
    /// Why a run ended.
    enum Reason: String, Sendable {
        /// A signal.
        case signal
        /// The position of `--endpos` was passed.
        case endPosition
        case slotCreated, slotDropped
        case error
    }

    static func object(_ status: WALArchiver.Status, bytesPerSecond: UInt64?, hasSlot: Bool) -> JSONObject {
        let phase: [(String, JSONValue)] = [("phase", .string(status.phase.rawValue))]
        return JSONObject(
            kind: .progress, members: phase + figures(status, bytesPerSecond: bytesPerSecond, hasSlot: hasSlot))
    }

    /// The last object of a run that ended as it was asked to.
    ///
    /// - Parameter status: nil if no WAL was to be received.
    static func done(_ reason: Reason, _ status: WALArchiver.Status?) -> JSONObject {
        JSONObject(kind: .result, members: end("done", reason, status))
    }

    /// The last object of a run that failed.
    static func failed(_ error: UnderstudyError, _ status: WALArchiver.Status?) -> JSONObject {
        let members = end("failed", .error, status)
        return JSONObject(kind: .result, members: members + [("error", .object(JSONObject.members(of: error)))])
    }

    private static func end(
        _ phase: String, _ reason: Reason, _ status: WALArchiver.Status?
    ) -> [(String, JSONValue)] {
        [("phase", .string(phase)), ("reason", .string(reason.rawValue))] + (status?.positionMembers ?? [])
    }

    private static func figures(
        _ status: WALArchiver.Status, bytesPerSecond: UInt64?, hasSlot: Bool
    ) -> [(String, JSONValue)] {
        let lag = status.lagIfKnown
        return status.positionMembers + [
            ("serverLSN", .optional(status.server)), ("lagBytes", .optional(lag?.bytes)),
            ("lagSeconds", lag.map { .number(Quantity.seconds($0.time)) } ?? .null),
            ("retainedBytes", .optional(hasSlot ? lag?.bytes : nil)), ("bytesPerSecond", .optional(bytesPerSecond)),
            ("segment", .optional(status.segment)),
        ]
    }
}
