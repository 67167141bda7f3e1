import UnderstudyCompression

/// What a server writes about a base backup: the file backup_label in it, or the backup history file that it archives
/// when the backup ends (`000000010000000000000003.00000028.backup`), which also says where it ended.
///
/// Source: PostgreSQL's build_backup_content, and read_backup_label.
package struct BackupLabel: Hashable, Sendable {
    /// Where a restore begins to replay.
    package var start: WALPosition
    /// Where the backup ended: in a history file only.
    package var end: WALPosition?
    /// What the user called it.
    package var label: String?
    /// nil if the lines of an odd label do not tell it.
    package var segmentSize: WALSegmentSize?

    /// Why a file is none.
    package struct Flaw: Error, Hashable {
        /// A whole sentence.
        package var detail: String
    }

    package init(parsing bytes: [UInt8]) throws(Flaw) {
        var fields: [Substring: Substring] = [:]
        let text = String(decoding: bytes, as: UTF8.self)
        for line in text.split(separator: "\n") {
            guard let colon = line.range(of: ": ") else { continue }
            fields[line[..<colon.lowerBound]] = line[colon.upperBound...]
        }
        guard let field = fields["START WAL LOCATION"] else {
            throw Flaw(detail: "It has no line \"START WAL LOCATION\".")
        }
        guard let start = Self.position(field, timeline: fields["START TIMELINE"]) else {
            throw Flaw(detail: "Its line \"START WAL LOCATION\" names no position of a timeline.")
        }
        self.start = start
        segmentSize = Self.segmentSize(field, start)
        if let field = fields["STOP WAL LOCATION"] {
            guard let end = Self.position(field, timeline: fields["STOP TIMELINE"]), end.lsn >= start.lsn else {
                throw Flaw(detail: "Its line \"STOP WAL LOCATION\" names no position after the start.")
            }
            self.end = end
        }
        label = fields["LABEL"].map(String.init)
    }

    /// The only size at which the file that a line names holds its position.
    private static func segmentSize(_ text: Substring, _ position: WALPosition) -> WALSegmentSize? {
        let name = text.split { " ()".contains($0) }.last
        let fitting = (20...30).compactMap { WALSegmentSize(bytes: 1 << $0) }.filter { size in
            WALSegmentName(containing: position.lsn, timeline: position.timeline, size: size)?.description
                == name.map(String.init)
        }
        return fitting.count == 1 ? fitting[0] : nil
    }

    /// `0/2000028 (file 000000010000000000000002)`; servers from 11 name the timeline on a line of its own, too.
    private static func position(_ text: Substring, timeline: Substring?) -> WALPosition? {
        let words = text.split { " ()".contains($0) }
        guard words.count == 3, words[1] == "file", WALSegmentName.isSegmentName(words[2]),
            let lsn = LSN(String(words[0])), let number = UInt32(words[2].prefix(8), radix: 16), number > 0
        else { return nil }
        if let timeline, UInt32(timeline) != number { return nil }
        return WALPosition(timeline: TimelineID(rawValue: number), lsn: lsn)
    }
}

extension Substring {
    fileprivate func range(of text: String) -> Range<Index>? { ranges(of: text).first }
}

/// The name of a backup history file: `000000010000000000000003.00000028.backup`, the segment in which a base backup
/// began and the offset there; an archive_command may have compressed it.
package struct BackupHistoryName: Hashable, Sendable {
    package let segment: WALSegmentName
    package let start: WALPosition
    /// Of the whole file.
    package let fileName: String

    /// Of a name without the suffix of a compressed file.
    package static let length = 40

    /// Nil if the name is not that of such a file.
    package init?(_ fileName: String, size: WALSegmentSize) {
        guard Self.isFileName(fileName), let segment = WALSegmentName(fileName.prefix(24), size: size),
            let offset = UInt64(fileName.dropFirst(25).prefix(8), radix: 16), offset < size.bytes
        else { return nil }
        self.segment = segment
        self.fileName = fileName
        start = WALPosition(
            timeline: segment.timeline, lsn: LSN(rawValue: segment.startLSN.rawValue + offset))
    }

    /// Whether the name has the form of such a file's, for any segment size.
    package static func isFileName(_ name: String) -> Bool {
        let rest = name.dropFirst(24)
        guard WALSegmentName.isSegmentName(name.prefix(24)), rest.first == ".",
            rest.dropFirst().prefix(8).allSatisfy({ $0.isHexDigit && !$0.isLowercase }),
            rest.dropFirst(9).hasPrefix(".backup")
        else { return false }
        return ArchivedHistory.compressions.contains { rest.dropFirst(16) == $0.fileSuffix }
    }
}
