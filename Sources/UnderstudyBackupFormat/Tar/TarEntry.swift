/// A member of an archive, as its header tells it.
package struct TarEntry: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case file
        case directory
        /// A symbolic link to `target`, which the server chose: not checked in any way, and never empty.
        case symbolicLink(target: [UInt8])
    }

    package var path: MemberPath
    package var kind: Kind
    /// The permission bits, with set-user-ID, set-group-ID and sticky: never more than 0o7777.
    package var mode: UInt16
    /// The bytes of content that follow; zero for directories and links, and never more than `Int64.max`.
    package var size: UInt64
    /// Seconds since 1970-01-01 00:00:00 UTC.
    package var modificationTime: Int64

    package init(path: MemberPath, kind: Kind, mode: UInt16, size: UInt64 = 0, modificationTime: Int64 = 0) {
        self.path = path
        self.kind = kind
        self.mode = mode
        self.size = size
        self.modificationTime = modificationTime
    }
}

/// What takes the members of an archive.
///
/// For each member: `begin` once, `content` any number of times (for files, not with empty spans), `end` once.
/// A span of content is valid only during the call.
package protocol TarSink: ReaderSink, ~Copyable {
    mutating func begin(_ entry: TarEntry) throws(Failure)
    mutating func content(_ bytes: RawSpan) throws(Failure)
    mutating func end() throws(Failure)
}
