/// The difference between two versions of a text file, as `diff -u` prints it.
///
/// Compares bytes: texts that are only canonically equal differ.
///
/// Source: GNU diffutils manual, "Detailed Description of Unified Format".
package enum TextDifference {
    private typealias Line = ArraySlice<UInt8>

    /// The text for `patch`, with three lines of context; empty if nothing changes.
    ///
    /// A file that comes or goes is `/dev/null` on its other side. If it is empty, there are only the two lines with the
    /// names.
    ///
    /// - Parameters:
    ///   - old: The file's content; nil if there is none yet.
    ///   - new: Its content afterwards; nil if it goes.
    ///   - name: The file's name or path.
    ///   - showing: How a line is shown, with neither its newline nor its mark: to hide secrets.
    package static func unified(
        old: String?, new: String?, name: String, showing: (String) -> String = { $0 }
    ) -> String {
        unified(old: old.map { Array($0.utf8) }, new: new.map { Array($0.utf8) }, name: name, showing: showing)
    }

    /// The same for files in any encoding; bytes that are not UTF-8 are shown as replacement characters.
    package static func unified(
        old: [UInt8]?, new: [UInt8]?, name: String, showing: (String) -> String = { $0 }
    ) -> String {
        let hunks = hunks(changes(from: lines(old ?? []), to: lines(new ?? [])))
        if hunks.isEmpty, (old == nil) == (new == nil) { return "" }
        var text = "--- \(old == nil ? "/dev/null" : name)\n+++ \(new == nil ? "/dev/null" : name)\n"
        for hunk in hunks { hunk.write(to: &text, showing) }
        return text
    }

    private static let context = 3
    private static let newline = UInt8(ascii: "\n")

    /// Each with its newline; the last may lack it.
    private static func lines(_ bytes: [UInt8]) -> [Line] {
        var lines: [Line] = [], start = 0
        for end in bytes.indices where bytes[end] == newline {
            lines.append(bytes[start...end])
            start = end + 1
        }
        if start < bytes.count { lines.append(bytes[start...]) }
        return lines
    }

    private enum Change {
        case kept, removed, added

        var mark: String {
            switch self {
            case .kept: " "
            case .removed: "-"
            case .added: "+"
            }
        }
    }

    /// All lines in order, and what happens to them.
    private static func changes(from old: [Line], to new: [Line]) -> [(change: Change, line: Line)] {
        var removed: Set<Int> = [], added: Set<Int> = []
        for change in new.difference(from: old) {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): added.insert(offset)
            }
        }
        var changes: [(Change, Line)] = []
        var here = 0, there = 0
        while here < old.count || there < new.count {
            if removed.contains(here) {
                changes.append((.removed, old[here]))
                here += 1
            } else if added.contains(there) {
                changes.append((.added, new[there]))
                there += 1
            } else {
                changes.append((.kept, old[here]))
                here += 1
                there += 1
            }
        }
        return changes
    }

    /// Changes near each other, with the lines around them.
    private struct Hunk {
        /// Lines before it, in the old and in the new text.
        var before: (old: Int, new: Int)
        var lines: ArraySlice<(change: Change, line: Line)>

        func write(to text: inout String, _ showing: (String) -> String) {
            text +=
                "@@ -\(range(from: before.old, without: .added)) +\(range(from: before.new, without: .removed)) @@\n"
            for (change, line) in lines {
                let isWhole = line.last == newline
                text += change.mark + showing(String(decoding: isWhole ? line.dropLast() : line, as: UTF8.self)) + "\n"
                if !isWhole { text += "\\ No newline at end of file\n" }
            }
        }

        private func range(from before: Int, without change: Change) -> String {
            let count = lines.count { $0.change != change }
            // A range without lines names the line before it.
            return count == 1 ? "\(before + 1)" : "\(count == 0 ? before : before + 1),\(count)"
        }
    }

    private static func hunks(_ changes: [(change: Change, line: Line)]) -> [Hunk] {
        var ranges: [Range<Int>] = []
        for index in changes.indices where changes[index].change != .kept {
            let range = max(0, index - context)..<min(changes.count, index + 1 + context)
            if let last = ranges.last, range.lowerBound <= last.upperBound {
                ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
            } else {
                ranges.append(range)
            }
        }
        return ranges.map { range in
            let before = changes[..<range.lowerBound]
            return Hunk(
                before: (before.count { $0.change != .added }, before.count { $0.change != .removed }),
                lines: changes[range])
        }
    }
}
