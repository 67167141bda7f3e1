/// An entry of a backup manifest: one file.
package struct ManifestFile: Hashable, Sendable {
    /// Relative to the data directory; files of a tablespace are under `pg_tblspc/OID/`.
    package var path: MemberPath
    /// Never more than `Int64.max`.
    package var size: UInt64
    /// Nil if the manifest has no checksums.
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
    /// An LSN as text, as the server wrote it.
    package var start: String
    package var end: String

    package init(timeline: UInt32, start: String, end: String) {
        self.timeline = timeline
        self.start = start
        self.end = end
    }
}

/// Receives the content of a backup manifest, in the manifest's order.
///
/// The content is not verified until `ManifestReader.finish` has returned.
package protocol ManifestSink: ReaderSink, ~Copyable {
    mutating func file(_ file: ManifestFile) throws(Failure)
    /// Optional; does nothing by default.
    mutating func walRange(_ range: ManifestWALRange) throws(Failure)
}

extension ManifestSink where Self: ~Copyable {
    package mutating func walRange(_ range: ManifestWALRange) throws(Failure) {}
}
