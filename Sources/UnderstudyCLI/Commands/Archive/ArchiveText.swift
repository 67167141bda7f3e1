import Understudy
import UnderstudyPlatform

/// What `archive list`, `check` and `prune` say to people.
enum ArchiveText {
    // MARK: - list

    static func list(_ archive: WALArchive, _ inventory: ArchiveInventory, namesFiles: Bool) -> String {
        guard let size = inventory.segmentSize else {
            let isEmpty = inventory.opaque.isEmpty && inventory.brokenLinks.isEmpty
            let lines = ["\"\(name(archive.path))\" holds no WAL\(isEmpty ? "" : " that is readable here")"]
            return (lines + notRead(inventory)).joined(separator: "\n")
        }
        var lines = ["segments of \(Quantity.bytes(size.bytes))"]
        if let identifier = inventory.systemIdentifier { lines[0] += ", system identifier \(identifier)" }
        for timeline in inventory.timelines {
            let history = inventory.unreadable.first { ArchivedHistory(fileName: $0.name)?.timeline == timeline.id }
            lines += ["", title(timeline) + (history == nil ? "" : ", whose history file could not be read")]
            lines += table(timeline)
        }
        lines += section("gaps", inventory.gaps.map(gap))
        lines += section("without a gap", inventory.stretches.map { "from \(at($0.start)) to \(at($0.end))" })
        lines += section("restorable", inventory.restorable.map(restorable))
        lines += section(
            "files of a wrong size, which count as missing",
            inventory.unusable.map { "\(name($0.name)), \(Quantity.bytes($0.bytes))" })
        lines += notRead(inventory)
        lines += section("diverged", diverged(inventory))
        lines += section(
            "other files",
            inventory.others.isEmpty ? [] : [TruncatedList(inventory.others.map { name($0.name) }).list])
        if namesFiles { lines += section("files", files(inventory.files)) }
        return lines.joined(separator: "\n")
    }

    /// As all names of files are shown: what outside has chosen may hold line ends and control characters.
    static func name(_ name: String) -> String { PrintedText.line(name) }

    private static func section(_ title: String, _ lines: [String]) -> [String] {
        lines.isEmpty ? [] : ["", title] + lines.map { "  \($0)" }
    }

    /// What is there, and was not read.
    private static func notRead(_ inventory: ArchiveInventory) -> [String] {
        section("not readable here", groups(inventory.opaque).map { "\($0.suffix): \($0.text)" })
            + section("links that lead nowhere", inventory.brokenLinks.map { "\(name($0.name)): \($0.reason)" })
            + section("could not be read", inventory.unreadable.map { "\(name($0.name)): \($0.reason)" })
    }

    /// The files of each suffix: how many, what they take, the first and the last.
    private static func groups(_ files: [OpaqueFile]) -> [(suffix: String, text: String)] {
        Dictionary(grouping: files, by: \.suffix).sorted { $0.key < $1.key }.map { suffix, files in
            let bytes = files.reduce(0) { $0 + $1.file.bytes }
            return (
                name(suffix), "\(count(files.count, "file")), \(Quantity.bytes(bytes)), \(span(files.map(\.file.name)))"
            )
        }
    }

    /// The first and the last of names.
    static func span(_ names: [String]) -> String {
        guard let first = names.min(), let last = names.max() else { return "" }
        return first == last ? name(first) : "\(name(first)) to \(name(last))"
    }

    private static func title(_ timeline: ArchiveInventory.Timeline) -> String {
        var title = "timeline \(timeline.id)"
        if let beginning = timeline.beginning { title += ", from timeline \(beginning.timeline) at \(beginning.lsn)" }
        if let history = timeline.opaqueHistory {
            title += ", whose history file \(name(history)) is not readable here"
        } else if timeline.id.rawValue > 1, !timeline.hasHistory {
            title += ", whose history file is missing"
        }
        return title
    }

    private static func table(_ timeline: ArchiveInventory.Timeline) -> [String] {
        var table = TextTable(numbers: [2, 3])
        for range in timeline.ranges {
            table.add([
                "\(range.first)", "\(range.last)", "\(range.segments)", Quantity.bytes(range.bytes),
                (range.opaqueSuffix.map { "not readable here: \(name($0))" } ?? methods(range.compressions))
                    + (range.isDiverged ? ", diverged" : ""),
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
        let backup = name(found.backup.name)
        guard let to = found.to else { return "\(backup): not with this archive, which lacks WAL \(missing(found))" }
        let from = found.from.map { "from \(at($0))" } ?? "from its end, which is not known,"
        return
            "\(backup): \(from) to \(at(to))\(found.needsOpaque ? ", partly from files that are not readable here" : "")"
    }

    private static func missing(_ found: ArchiveInventory.Restorable) -> String {
        guard let missing = found.missing else { return "" }
        let start = "from \(at(missing.start))"
        return missing.start == missing.end ? "\(start) on" : "\(start) to \(at(missing.end))"
    }

    private static func files(_ files: [ArchivedFile]) -> [String] {
        var table = TextTable(numbers: [1], indent: "")
        for file in files {
            let isLink = file.isLink ? ["a link"] : []
            table.add([name(file.name), Quantity.bytes(file.bytes), UTCTime(Int(file.modified)).text] + isLink)
        }
        return table.lines
    }

    static func at(_ position: WALPosition) -> String { "\(position.lsn) (timeline \(position.timeline))" }

    static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    // MARK: - check

    static func check(_ check: ArchiveCheck, namesFiles: Bool) -> String {
        var lines = namesFiles ? check.files.map(\.name).filter(sound(check)).map { "\(name($0)): sound" } : []
        // Of a form that is not read here there may be thousands.
        let opaque = check.findings.filter { $0.kind == .opaque && !namesFiles }
        lines += check.findings.filter { $0.kind != .opaque || namesFiles }.map(finding)
        lines += Dictionary(grouping: opaque, by: \.message).sorted { $0.key < $1.key }.map { message, findings in
            findings.count == 1
                ? finding(findings[0])
                : "\(span(findings.map(\.file))), \(count(findings.count, "file")): \(name(message))"
        }
        lines += check.gaps.map { "WAL is missing \(gap($0))" }
        let unchecked = check.findings.count { $0.kind.isUnchecked }, bad = check.findings.count - unchecked
        var verdict = bad > 0 ? ["\(bad) bad"] : unchecked == 0 ? ["all sound"] : []
        if unchecked > 0 { verdict.append("\(unchecked) not checked") }
        if !check.gaps.isEmpty { verdict.append(count(check.gaps.count, "gap")) }
        let what = "\(count(check.files.count, "file")), \(Quantity.bytes(check.bytes))"
        return (lines + ["checked \(what): \(verdict.joined(separator: ", "))"]).joined(separator: "\n")
    }

    private static func sound(_ check: ArchiveCheck) -> (String) -> Bool {
        let bad = Set(check.findings.map(\.file))
        return { !bad.contains($0) }
    }

    private static func finding(_ finding: ArchiveCheck.Finding) -> String {
        var place: [String] = []
        if let offset = finding.offset { place.append("byte \(offset)") }
        if let offset = finding.contentOffset, offset != finding.offset { place.append("byte \(offset) of its WAL") }
        if !place.isEmpty, let lsn = finding.lsn { place[place.count - 1] += " (\(lsn))" }
        let at = place.isEmpty ? "" : ", at " + place.joined(separator: ", ")
        return "\(name(finding.file)): \(name(finding.message))\(at)"
    }
}
