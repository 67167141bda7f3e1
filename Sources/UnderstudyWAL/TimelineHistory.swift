/// The ancestors of a timeline and the positions at which they ended: the content of a history file.
///
/// ```swift
/// let history = try TimelineHistory(parsing: bytes, of: 3)
/// history.timeline(of: LSN("0/3000000")!)  // the timeline to read that position from
/// history.switchLSN(of: 2)                 // where timeline 2 ended
/// ```
///
/// Source: PostgreSQL manual, "Timelines", and the server command TIMELINE_HISTORY.
public struct TimelineHistory: Hashable, Sendable {
    /// An ancestor, and where it ended.
    public struct Entry: Hashable, Sendable {
        public var timeline: TimelineID
        /// The first position that no longer belongs to the ancestor.
        public var switchLSN: LSN
        /// Why the timeline was switched there, in the server's words.
        public var reason: String

        public init(timeline: TimelineID, switchLSN: LSN, reason: String) {
            self.timeline = timeline
            self.switchLSN = switchLSN
            self.reason = reason
        }
    }

    /// The maximum size of a history file, in bytes. It has one line of at most a few hundred bytes for each ancestor.
    package static let longestFile = 1 << 20

    /// The timeline that this history belongs to.
    public let timeline: TimelineID
    /// The ancestors, oldest first.
    public let ancestors: [Entry]

    /// The history of a timeline without ancestors, such as timeline 1.
    public init(root timeline: TimelineID) {
        self.timeline = timeline
        ancestors = []
    }

    /// - Parameter ancestors: Oldest first, all older than `timeline`.
    init(_ timeline: TimelineID, ancestors: [Entry]) {
        self.timeline = timeline
        self.ancestors = ancestors
    }

    /// Parses the bytes of a history file.
    ///
    /// Comments and blank lines are skipped. Switch positions need not ascend: a server that recovered to a point
    /// before an ancestor's switch writes such a history.
    ///
    /// - Parameters:
    ///   - bytes: The whole file, uncompressed.
    ///   - timeline: The timeline that the file is named after.
    /// - Throws: If no server writes such a file. This includes a file without entries and one cut off within an entry,
    ///   since a missing entry would lead to the wrong WAL.
    public init(parsing bytes: [UInt8], of timeline: TimelineID) throws(TimelineHistoryError) {
        var ancestors: [Entry] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            do throws(LineFault) {
                guard let entry = try Self.entry(line, endsInNewline: index < lines.count - 1) else { continue }
                if let last = ancestors.last, entry.timeline <= last.timeline { throw LineFault.order }
                ancestors.append(entry)
            } catch {
                throw TimelineHistoryError(timeline: timeline, line: index + 1, detail: error.rawValue)
            }
        }
        guard let parent = ancestors.last else {
            throw TimelineHistoryError(timeline: timeline, line: nil, detail: "It names no parent timeline.")
        }
        guard parent.timeline < timeline else {
            throw TimelineHistoryError(
                timeline: timeline, line: nil,
                detail:
                    "Its last entry is timeline \(parent.timeline), which cannot be a parent of timeline \(timeline).")
        }
        self.timeline = timeline
        self.ancestors = ancestors
    }

    /// The timeline from which to read `position` on the way to this timeline. A switch position belongs to the younger
    /// timeline.
    public func timeline(of position: LSN) -> TimelineID {
        // From the youngest back, as the server searches: if switch positions do not ascend, the younger timeline wins.
        var child = timeline
        for ancestor in ancestors.reversed() {
            if ancestor.switchLSN <= position { return child }
            child = ancestor.timeline
        }
        return child
    }

    /// The position at which an ancestor ended. Nil for this timeline itself, and for one not in its history.
    public func switchLSN(of ancestor: TimelineID) -> LSN? {
        ancestors.first { $0.timeline == ancestor }?.switchLSN
    }

    /// Whether `other` is this timeline or an ancestor of it.
    public func contains(_ other: TimelineID) -> Bool {
        other == timeline || switchLSN(of: other) != nil
    }
}

/// Why a history file cannot be used.
public struct TimelineHistoryError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, and in which file: lower case, no full stop.
    public var message: String
    /// A whole sentence.
    public var detail: String

    init(timeline: TimelineID, line: Int?, detail: String) {
        let place = line.map { "line \($0) of " } ?? ""
        message = "invalid data in \(place)history file \"\(timeline.historyFileName)\""
        self.detail = detail
    }

    public var description: String {
        "\(message)\nDETAIL:  \(detail)"
    }
}

extension TimelineHistory {
    private enum LineFault: String, Error {
        case timeline = "The line does not begin with the number of a timeline."
        case position = "The number of the timeline is not followed by a position in the log."
        case cutOff = "The line ends within a position in the log."
        case order = "The numbers of the timelines do not ascend."
    }

    /// Parses `number whitespace position whitespace reason`; nil for a line without content.
    private static func entry(_ line: ArraySlice<UInt8>, endsInNewline: Bool) throws(LineFault) -> Entry? {
        var rest = line.drop(while: isSpace)
        if rest.isEmpty || rest.first == UInt8(ascii: "#") { return nil }

        let number = rest.prefix { !isSpace($0) }
        guard number.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains),
            let timeline = UInt32(String(decoding: number, as: UTF8.self)), timeline > 0
        else { throw .timeline }

        rest = rest[number.endIndex...].drop(while: isSpace)
        let position = rest.prefix { !isSpace($0) }
        // If nothing follows the position, its last digits may be missing.
        guard position.endIndex < rest.endIndex || endsInNewline else { throw .cutOff }
        guard let switchLSN = LSN(String(decoding: position, as: UTF8.self)) else { throw .position }

        var reason = rest[position.endIndex...].drop(while: isSpace)
        while let last = reason.last, isSpace(last) { reason.removeLast() }
        return Entry(
            timeline: TimelineID(rawValue: timeline), switchLSN: switchLSN,
            reason: String(decoding: reason, as: UTF8.self))
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (0x09...0x0D).contains(byte)
    }
}
