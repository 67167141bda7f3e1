/// What a backup manifest says of one file.
package struct ManifestFile: Hashable, Sendable {
    /// Relative to the data directory; what is in a tablespace stands under `pg_tblspc/OID/`.
    package var path: MemberPath
    /// Never more than `Int64.max`.
    package var size: UInt64
    /// Nil where the manifest was made without checksums.
    package var checksum: FileChecksum?

    package init(path: MemberPath, size: UInt64, checksum: FileChecksum?) {
        self.path = path
        self.size = size
        self.checksum = checksum
    }
}

/// WAL that the backup needs to become consistent.
package struct ManifestWALRange: Hashable, Sendable {
    package var timeline: UInt32
    /// The text of an LSN, as the server wrote it.
    package var start: String
    package var end: String

    package init(timeline: UInt32, start: String, end: String) {
        self.timeline = timeline
        self.start = start
        self.end = end
    }
}

/// What takes the content of a backup manifest, in the manifest's order.
///
/// What it is told is not proven to be what the server wrote before `ManifestReader.finish` has returned.
package protocol ManifestSink: ReaderSink, ~Copyable {
    mutating func file(_ file: ManifestFile) throws(Failure)
    /// Does nothing unless it is implemented.
    mutating func walRange(_ range: ManifestWALRange) throws(Failure)
}

extension ManifestSink where Self: ~Copyable {
    package mutating func walRange(_ range: ManifestWALRange) throws(Failure) {}
}
