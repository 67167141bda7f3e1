public import UnderstudyWAL

/// What a check of an archive found: see ``WALArchive/check()``.
public struct ArchiveCheck: Hashable, Sendable {
    /// A file that is not what its name says.
    public struct Finding: Hashable, Sendable {
        /// What is wrong. Later versions may have more kinds: switch over it with `@unknown default`.
        @nonexhaustive
        public enum Kind: String, Hashable, Sendable, CaseIterable {
            /// A segment that is too short or too long.
            case size
            /// A compressed file that is damaged, ends too early, or goes on behind its end.
            case container
            /// A page that no server has written.
            case page
            /// WAL of another cluster, position or timeline.
            case otherWAL
            /// A history file, of a timeline or of a backup, that says nothing, or contradicts another.
            case history
            /// The first segment of a timeline that is missing, or differs from its parent's before the switch.
            case join
            /// A file in a form that is not read here: see ``OpaqueFile``. It was not checked.
            case opaque
            /// A file that could not be read, and so was not checked.
            case unreadable
            /// A symbolic link that leads to no file.
            case link

            /// Whether the file was not checked, and may be sound.
            public var isUnchecked: Bool { self == .opaque || self == .unreadable }
        }

        /// The name of the file.
        public var file: String
        public var kind: Kind
        /// The offset of the first byte that is wrong in the file as it is stored: of a compressed one, where the damage of
        /// its container shows itself, which may be some bytes behind it. Nil if no byte of the file as stored is known.
        public var offset: UInt64?
        /// The offset of the first byte that is wrong in the decompressed content; nil if that is not known.
        public var contentOffset: UInt64?
        /// The position of that byte in the log, if it is one of a segment.
        public var lsn: LSN?
        /// What is wrong with the file: the end of a sentence that begins with its name.
        public var message: String
    }

    /// All that were checked, by name.
    public var files: [ArchivedFile]
    /// By the names of the files, at most one for each.
    public var findings: [Finding]
    /// WAL that is missing on the way to the newest timeline, oldest first.
    public var gaps: [ArchiveInventory.Gap]

    /// What was read, in bytes, as it is stored.
    public var bytes: UInt64 { files.reduce(0) { $0 + $1.bytes } }

    /// Whether every file was checked and is what it should be, and no WAL is missing but what the server had removed, of which the archiver
    /// left a note.
    public var isSound: Bool { findings.isEmpty && gaps.allSatisfy(\.isNoted) }
}
