package import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL
import UnderstudyWALArchive

/// The status of archivers for programs. Members may be added, and none changes its meaning.
enum StatusJSON {
    static func text(_ views: [ArchiverView], at time: UTCTime) -> String {
        JSONValue.object([
            ("time", .string(time.timestamp)),
            ("ready", .bool(views.allSatisfy { $0.unreadiness == nil })),
            ("archivers", .array(views.map(archiver))),
        ]).text + "\n"
    }

    private static func archiver(_ view: ArchiverView) -> JSONValue {
        let status = view.status
        let state: [(String, JSONValue)] = [
            ("name", .string(view.name)), ("phase", .string(status.phase.rawValue)),
            ("ready", .bool(view.unreadiness == nil)), ("notReadyBecause", .optional(view.unreadiness)),
        ]
        let figures: [(String, JSONValue)] = [
            ("serverLSN", .optional(status.server)), ("lagBytes", .optional(view.lag?.bytes)),
            ("lagSeconds", seconds(view.lag?.time)),
            ("storageWaitSeconds", seconds(status.storageWait)), ("receiptWaitSeconds", seconds(status.receiptWait)),
            ("silenceSeconds", seconds(status.silence)), ("maxLagBytes", .optional(view.maxLag)),
            ("segment", .optional(status.segment)),
            ("connectedSince", .optional(status.connectedSince.map { view.time(of: $0).timestamp })),
        ]
        return .object(
            state + status.positionMembers + figures + [
                ("slot", status.slot.map(slot) ?? .null), ("holdings", status.holdings.map(holdings) ?? .null),
                ("lastError", error(view) ?? .null),
            ])
    }

    private static func seconds(_ time: Duration?) -> JSONValue {
        time.map { .number(Quantity.seconds($0)) } ?? .null
    }

    private static func error(_ view: ArchiverView) -> JSONValue? {
        guard let error = view.status.lastError else { return nil }
        return .object([
            ("time", .optional(view.status.lastErrorAt.map { view.time(of: $0).timestamp })),
            ("code", .string(error.code.description)), ("message", .string(error.message)),
            ("detail", .optional(error.detail)), ("hint", .optional(error.remedy.map(view.words))),
            ("sqlstate", .optional(error.sqlState)),
        ])
    }

    private static func slot(_ slot: WALArchiver.Status.Slot) -> JSONValue {
        .object([
            ("name", .string(slot.name)), ("restartLSN", slot.restartLSN.map { .optional($0) } ?? .null),
            ("walStatus", .optional(slot.walStatus)), ("safeBytes", slot.safeBytes.map { .integer($0) } ?? .null),
            ("invalidated", .bool(slot.isInvalidated)), ("invalidationReason", .optional(slot.invalidationReason)),
        ])
    }

    private static func holdings(_ holdings: WALArchiver.Status.Holdings) -> JSONValue {
        .object([
            ("begin", position(holdings.begin)), ("end", position(holdings.end)),
            (
                "gaps",
                .array(
                    holdings.gaps.map { .object([("start", position($0.start)), ("end", position($0.end))]) })
            ),
        ])
    }

    private static func position(_ position: WALPosition?) -> JSONValue {
        guard let position else { return nil }
        return .object([
            ("timeline", .unsigned(UInt64(position.timeline.rawValue))), ("lsn", .string(position.lsn.description)),
        ])
    }
}

extension WALArchiver.Status {
    /// How far an archiver is, as members of an object.
    package var positionMembers: [(String, JSONValue)] {
        let timeline = UInt64(timeline.rawValue)
        return [
            ("timeline", timeline == 0 ? nil : .unsigned(timeline)), ("receivedLSN", .optional(received)),
            ("flushedLSN", .optional(synced)), ("acknowledgedLSN", .optional(acknowledged)),
            ("segmentsFinished", .integer(Int64(segmentsFinished))), ("reconnects", .integer(Int64(reconnects))),
        ]
    }
}
