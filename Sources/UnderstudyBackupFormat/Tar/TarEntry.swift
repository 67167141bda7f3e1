/// A member of an archive, from its header.
package struct TarEntry: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case file
        case directory
        /// A symbolic link to `target`. The server chose the target: it is never empty, but not checked otherwise.
        case symbolicLink(target: [UInt8])
    }

    package var path: MemberPath
    package var kind: Kind
    /// The permission bits, including set-user-ID, set-group-ID and sticky: at most 0o7777.
    package var mode: UInt16
    /// The size of the content that follows, in bytes; zero for directories and links, and at most `Int64.max`.
    package var size: UInt64
    /// Seconds since 1970-01-01 00:00:00 UTC.
    package var modificationTime: Int64
    /// The server's user and group.
    package var user: UInt32
    package var group: UInt32

    package init(
        path: MemberPath, kind: Kind, mode: UInt16, size: UInt64 = 0, modificationTime: Int64 = 0, user: UInt32 = 0,
        group: UInt32 = 0
    ) {
        self.path = path
        self.kind = kind
        self.mode = mode
        self.size = size
        self.modificationTime = modificationTime
        self.user = user
        self.group = group
    }
}

/// Receives the members of an archive.
///
/// For each member, calls `begin` once, `content` any number of times (only for files, and never with an empty span),
/// and `end` once. A span of content is valid only during the call.
package protocol TarSink: ReaderSink, ~Copyable {
    mutating func begin(_ entry: TarEntry) throws(Failure)
    mutating func content(_ bytes: RawSpan) throws(Failure)
    mutating func end() throws(Failure)
}
