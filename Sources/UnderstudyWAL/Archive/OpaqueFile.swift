/// A file of an archive that is named like one of WAL, with a suffix that is not read here: `000000010000000000000003.xz`,
/// `00000002.history.gpg`. What it holds is known by its name alone.
public struct OpaqueFile: Hashable, Sendable {
    /// What the name says before the suffix. Later versions may have more kinds: switch over it with `@unknown default`.
    @nonexhaustive
    public enum Kind: Hashable, Sendable {
        case segment, partialSegment, history, backupHistory
    }

    public var file: ArchivedFile
    public var kind: Kind
    /// The name without the suffix: `000000010000000000000003`, also of an incomplete segment.
    public var stem: String
    /// With its dot, and all that follows: `.xz`, `.zst.gpg`, `.partial.xz`.
    public var suffix: String

    /// Last parts of names that checksums, signatures and marks beside a file have. Such a file alone is no WAL.
    private static let companions: Set<Substring> = [
        "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "b2", "b2sum", "crc", "crc32", "sig", "minisig", "json",
        "txt", "log", "ok", "done", "ready", "lock",
    ]

    /// Whether it is something about a file, such as a checksum, instead of a form of it.
    public var isCompanion: Bool { suffix.split(separator: ".").last.map(Self.companions.contains) ?? true }

    /// Nil if the name is read here, or means nothing.
    public init?(_ file: ArchivedFile) {
        let name = file.name
        self.file = file
        if let end = Self.end(ofHistory: name) {
            guard ArchivedHistory(fileName: name) == nil else { return nil }
            kind = .history
            stem = String(name[..<end])
        } else {
            let segment = name.prefix(24)
            guard WALSegmentName.isSegmentName(segment), !ArchivedSegment.isFileName(name),
                !BackupHistoryName.isFileName(name)
            else { return nil }
            let backup = name.prefix(BackupHistoryName.length)
            if BackupHistoryName.isFileName(String(backup)) {
                kind = .backupHistory
                stem = String(backup)
            } else {
                let isPartial = name.dropFirst(24).split(separator: ".").contains("partial")
                kind = isPartial ? .partialSegment : .segment
                stem = String(segment)
            }
        }
        suffix = String(name.dropFirst(stem.count))
        guard suffix.count > 1, suffix.first == ".", suffix != WALGap.noteSuffix else { return nil }
    }

    /// Of a file of which the name matters alone.
    package init?(named name: String) {
        self.init(ArchivedFile(name: name, bytes: 0, modified: 0))
    }

    private static func end(ofHistory name: String) -> String.Index? {
        guard let dot = name.dropFirst(9).firstIndex(of: ".") else { return nil }
        return TimelineID(historyFileName: name[..<dot]) == nil ? nil : dot
    }

    /// The segment of a segment's file, complete or not; nil if the number does not exist at this segment size.
    package func segment(_ size: WALSegmentSize) -> ArchivedSegment? {
        guard kind == .segment || kind == .partialSegment else { return nil }
        return WALSegmentName(stem, size: size).map { ArchivedSegment(segment: $0, isPartial: kind == .partialSegment) }
    }
}
