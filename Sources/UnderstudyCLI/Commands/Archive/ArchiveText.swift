import Understudy
import UnderstudyPlatform

/// What `archive list`, `check` and `prune` say to people.
enum ArchiveText {
    // MARK: - list

    static func list(_ archive: WALArchive, _ inventory: ArchiveInventory, namesFiles: Bool) -> String {
        guard let size = inventory.segmentSize else {
            return "\"\(archive.path)\" holds no WAL"
        }
        var lines = ["segments of \(Quantity.bytes(size.bytes))"]
        if let identifier = inventory.systemIdentifier { lines[0] += ", system identifier \(identifier)" }
        for timeline in inventory.timelines { lines += ["", title(timeline)] + table(timeline) }
        lines += section("gaps", inventory.gaps.map(gap))
        lines += section("without a gap", inventory.stretches.map { "from \(at($0.start)) to \(at($0.end))" })
        lines += section("restorable", inventory.restorable.map(restorable))
        lines += section(
            "files of a wrong size, which count as missing",
            inventory.unusable.map { "\($0.name), \(Quantity.bytes($0.bytes))" })
        lines += section("diverged", diverged(inventory))
        lines += section(
            "other files",
            inventory.others.isEmpty ? [] : [TruncatedList(inventory.others.map { PrintedText.line($0.name) }).list])
        if namesFiles { lines += section("files", files(inventory.files)) }
        return lines.joined(separator: "\n")
    }

    private static func section(_ title: String, _ lines: [String]) -> [String] {
        lines.isEmpty ? [] : ["", title] + lines.map { "  \($0)" }
    }

    private static func title(_ timeline: ArchiveInventory.Timeline) -> String {
        var title = "timeline \(timeline.id)"
        if let beginning = timeline.beginning { title += ", from timeline \(beginning.timeline) at \(beginning.lsn)" }
        if timeline.id.rawValue > 1, !timeline.hasHistory { title += ", whose history file is missing" }
        return title
    }

    private static func table(_ timeline: ArchiveInventory.Timeline) -> [String] {
        var table = TextTable(numbers: [2, 3])
        for range in timeline.ranges {
            table.add([
                "\(range.first)", "\(range.last)", "\(range.segments)", Quantity.bytes(range.bytes),
                methods(range.compressions) + (range.isDiverged ? ", diverged" : ""),
            ])
        }
        for partial in timeline.partials {
            let end = partial.end.map { "up to \($0)" } ?? "empty"
            table.add([
                "\(partial.file.segment)", "partial, \(end)", "", Quantity.bytes(partial.bytes),
                method(partial.file.compression) + (partial.isDiverged ? ", diverged" : ""),
            ])
        }
        return table.lines
    }

    private static func methods(_ counts: [Compression.Method?: Int]) -> String {
        let all: [Compression.Method?] = [nil] + Compression.Method.allCases
        let used = all.compactMap { method in counts[method].map { (method, $0) } }
        guard used.count > 1 else { return used.first.map { method($0.0) } ?? "" }
        return used.map { "\(method($0.0)) (\($0.1))" }.joined(separator: ", ")
    }

    private static func method(_ method: Compression.Method?) -> String { method?.rawValue ?? "plain" }

    private static func diverged(_ inventory: ArchiveInventory) -> [String] {
        var lines: [String] = []
        if inventory.divergedFiles > 0 {
            let verb = inventory.divergedFiles == 1 ? "is" : "are"
            let newest = inventory.newestTimeline.map { "timeline \($0)" } ?? "the newest timeline"
            lines.append("\(count(inventory.divergedFiles, "segment file")) above \(verb) not on the way to \(newest)")
        }
        if !inventory.setAside.isEmpty {
            let bytes = inventory.setAside.reduce(0) { $0 + $1.bytes }
            lines.append("\(count(inventory.setAside.count, "file")) in diverged/, \(Quantity.bytes(bytes))")
        }
        return lines
    }

    private static func gap(_ gap: ArchiveInventory.Gap) -> String {
        "from \(at(gap.range.start)) to \(at(gap.range.end))" + (gap.isNoted ? ", removed by the server before" : "")
    }

    static func restorable(_ found: ArchiveInventory.Restorable) -> String {
        let name = PrintedText.line(found.backup.name)
        guard let to = found.to else { return "\(name): not with this archive, which lacks WAL \(missing(found))" }
        let from = found.from.map { "from \(at($0))" } ?? "from its end, which is not known,"
        return "\(name): \(from) to \(at(to))"
    }

    private static func missing(_ found: ArchiveInventory.Restorable) -> String {
        guard let missing = found.missing else { return "" }
        let start = "from \(at(missing.start))"
        return missing.start == missing.end ? "\(start) on" : "\(start) to \(at(missing.end))"
    }

    private static func files(_ files: [ArchivedFile]) -> [String] {
        var table = TextTable(numbers: [1], indent: "")
        for file in files {
            table.add([file.name, Quantity.bytes(file.bytes), UTCTime(Int(file.modified)).text])
        }
        return table.lines
    }

    static func at(_ position: WALPosition) -> String { "\(position.lsn) (timeline \(position.timeline))" }

    static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    // MARK: - check

    static func check(_ check: ArchiveCheck, namesFiles: Bool) -> String {
        var lines: [String] = []
        let bad = Dictionary(check.findings.map { ($0.file, $0) }) { first, _ in first }
        if namesFiles { lines += check.files.filter { bad[$0.name] == nil }.map { "\($0.name): sound" } }
        lines += check.findings.map(finding)
        lines += check.gaps.map { "WAL is missing \(gap($0))" }
        let what = "\(count(check.files.count, "file")), \(Quantity.bytes(check.bytes))"
        let verdict =
            switch (check.findings.count, check.gaps.count) {
            case (0, 0): "all sound"
            case (0, let gaps): "all sound, \(count(gaps, "gap"))"
            case (let bad, 0): "\(bad) bad"
            case (let bad, let gaps): "\(bad) bad, \(count(gaps, "gap"))"
            }
        return (lines + ["checked \(what): \(verdict)"]).joined(separator: "\n")
    }

    private static func finding(_ finding: ArchiveCheck.Finding) -> String {
        var place: [String] = []
        if let offset = finding.offset { place.append("byte \(offset)") }
        if let offset = finding.contentOffset, offset != finding.offset { place.append("byte \(offset) of its WAL") }
        if !place.isEmpty, let lsn = finding.lsn { place[place.count - 1] += " (\(lsn))" }
        let at = place.isEmpty ? "" : ", at " + place.joined(separator: ", ")
        return "\(finding.file): \(finding.message)\(at)"
    }
}
