import Understudy
import UnderstudyPlatform

/// The results of `archive list`, `check` and `prune` with `--json`: the last object on standard output. The guide names the
/// members.
enum ArchiveJSON {
    static func list(_ archive: WALArchive, _ inventory: ArchiveInventory, namesFiles: Bool) -> JSONObject {
        var members: [(String, JSONValue)] = [
            ("archive", .string(archive.path)),
            ("segmentSize", .optional(inventory.segmentSize?.bytes)),
            ("systemIdentifier", .optional(inventory.systemIdentifier)),
            ("timelines", .array(inventory.timelines.map(timeline))),
            (
                "stretches",
                .array(inventory.stretches.map { .object([("start", at($0.start)), ("end", at($0.end))]) })
            ),
            ("gaps", .array(inventory.gaps.map(gap))),
            ("restorable", .array(inventory.restorable.map(restorable))),
            ("wrongSize", files(inventory.unusable)),
            ("setAside", files(inventory.setAside)),
            ("backupHistories", .array(inventory.backupHistories.map { .string($0.name) })),
            (
                "notReadable",
                .array(
                    inventory.opaque.map { .object(file($0.file) + [("suffix", .string($0.suffix))]) })
            ),
            (
                "brokenLinks",
                .array(
                    inventory.brokenLinks.map { .object([("name", .string($0.name)), ("reason", .string($0.reason))]) })
            ),
            (
                "failures",
                .array(
                    inventory.unreadable.map {
                        .object([("name", .string($0.name)), ("reason", .string($0.reason))])
                    })
            ),
            ("others", .array(inventory.others.map { .string($0.name) })),
        ]
        if namesFiles { members.append(("files", files(inventory.files))) }
        return JSONObject(kind: .result, members: members)
    }

    static func check(_ archive: WALArchive, _ check: ArchiveCheck, namesFiles: Bool) -> JSONObject {
        var members: [(String, JSONValue)] = [
            ("archive", .string(archive.path)),
            ("sound", .bool(check.isSound)),
            ("checkedFiles", .integer(Int64(check.files.count))),
            ("checkedBytes", .unsigned(check.bytes)),
            ("findings", .array(check.findings.map(finding))),
            ("gaps", .array(check.gaps.map(gap))),
        ]
        if namesFiles { members.append(("files", files(check.files))) }
        return JSONObject(kind: .result, members: members)
    }

    static func prune(
        _ archive: WALArchive, _ plan: ArchivePruning, _ outcome: ArchivePruning.Outcome?, namesFiles: Bool
    ) -> JSONObject {
        var members: [(String, JSONValue)] = [
            ("archive", .string(archive.path)),
            ("applied", .bool(outcome != nil)),
            ("keptFrom", .string(plan.limit.description)),
            ("decidedBy", .optional(plan.decidedBy?.name)),
            ("removableFiles", .integer(Int64(plan.removed.count))),
            ("removableBytes", .unsigned(plan.bytes)),
            ("removedFiles", .integer(Int64(outcome?.removed ?? 0))),
            ("removedBytes", .unsigned(outcome?.bytes ?? 0)),
            ("links", .integer(Int64(outcome?.links ?? plan.links))),
            ("keptFiles", .integer(Int64(plan.kept))),
            ("keptBytes", .unsigned(plan.keptBytes)),
            (
                "spared",
                .array(
                    plan.spared.map {
                        .object([("name", .string($0.file.name)), ("reason", .string($0.reason.rawValue))])
                    })
            ),
            ("gaps", .array(plan.gaps.map { .object([("start", at($0.start)), ("end", at($0.end))]) })),
            ("notRestorable", .array(plan.notRestorable.map(restorable))),
        ]
        if namesFiles { members.append(("removable", files(plan.removed))) }
        return JSONObject(kind: .result, members: members)
    }

    // MARK: - Parts

    private static func at(_ position: WALPosition) -> JSONValue {
        .object([
            ("lsn", .string(position.lsn.description)), ("timeline", .unsigned(UInt64(position.timeline.rawValue))),
        ])
    }

    private static func at(_ position: WALPosition?) -> JSONValue { position.map { at($0) } ?? .null }

    private static func timeline(_ timeline: ArchiveInventory.Timeline) -> JSONValue {
        .object([
            ("timeline", .unsigned(UInt64(timeline.id.rawValue))),
            ("beginning", at(timeline.beginning)),
            ("hasHistory", .bool(timeline.hasHistory)),
            ("notReadableHistory", .optional(timeline.opaqueHistory)),
            ("ranges", .array(timeline.ranges.map(range))),
            ("partials", .array(timeline.partials.map(partial))),
        ])
    }

    private static func range(_ range: ArchiveInventory.Range) -> JSONValue {
        let methods: [Compression.Method?] = [nil] + Compression.Method.allCases
        return .object([
            ("first", .string("\(range.first)")), ("last", .string("\(range.last)")),
            ("start", .string(range.start.description)), ("end", .string(range.end.description)),
            ("segments", .unsigned(range.segments)), ("files", .integer(Int64(range.files))),
            ("bytes", .unsigned(range.bytes)),
            (
                "compression",
                .object(
                    methods.compactMap { method in
                        range.compressions[method].map { (method?.rawValue ?? "none", .integer(Int64($0))) }
                    })
            ),
            ("notReadable", .optional(range.opaqueSuffix)),
            ("diverged", .bool(range.isDiverged)),
        ])
    }

    private static func partial(_ partial: ArchiveInventory.Partial) -> JSONValue {
        .object([
            ("name", .string(partial.file.fileName)), ("bytes", .unsigned(partial.bytes)),
            ("end", .optional(partial.end?.description)), ("diverged", .bool(partial.isDiverged)),
        ])
    }

    private static func gap(_ gap: ArchiveInventory.Gap) -> JSONValue {
        .object([
            ("start", at(gap.range.start)), ("end", at(gap.range.end)), ("noted", .bool(gap.isNoted)),
        ])
    }

    private static func restorable(_ found: ArchiveInventory.Restorable) -> JSONValue {
        let missing: JSONValue =
            found.missing.map { .object([("start", at($0.start)), ("end", at($0.end))]) } ?? .null
        return .object([
            ("backup", .string(found.backup.name)), ("label", .optional(found.backup.label)),
            ("start", at(found.backup.start)), ("end", at(found.backup.end)),
            ("restorable", .bool(found.to != nil)),
            ("timeline", .unsigned(UInt64(found.timeline.rawValue))),
            ("from", at(found.from)), ("to", at(found.to)), ("missing", missing),
            ("needsNotReadable", .bool(found.needsOpaque)),
        ])
    }

    private static func finding(_ finding: ArchiveCheck.Finding) -> JSONValue {
        .object([
            ("file", .string(finding.file)), ("kind", .string(finding.kind.rawValue)),
            ("offset", .optional(finding.offset)), ("contentOffset", .optional(finding.contentOffset)),
            ("lsn", .optional(finding.lsn?.description)), ("message", .string(finding.message)),
        ])
    }

    private static func files(_ files: [ArchivedFile]) -> JSONValue {
        .array(files.map { .object(file($0)) })
    }

    private static func file(_ file: ArchivedFile) -> [(String, JSONValue)] {
        [
            ("name", .string(file.name)), ("bytes", .unsigned(file.bytes)),
            ("modified", .string(UTCTime(Int(file.modified)).timestamp)), ("link", .bool(file.isLink)),
        ]
    }
}
