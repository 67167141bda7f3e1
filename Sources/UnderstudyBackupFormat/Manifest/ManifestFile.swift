/// An entry of a backup manifest: one file.
package struct ManifestFile: Hashable, Sendable {
    /// Relative to the data directory; files of a tablespace are under `pg_tblspc/OID/`.
    package var path: MemberPath
    /// Never more than `Int64.max`, but in the dialect of the stock tool.
    package var size: UInt64
    /// Nil if the manifest has no checksums.
    package var checksum: FileChecksum?
    /// What stands in place of a checksum and has not its length; only read in the dialect of the stock tool.
    package var unfitChecksum: UnfitChecksum?

    package struct UnfitChecksum: Hashable, Sendable {
        package var algorithm: ChecksumAlgorithm
        /// In bytes.
        package var count: Int
    }

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
    /// A file whose path no server writes: absolute, empty, or with `..` in it. Comes in the dialect of the stock tool only.
    /// Optional; by default it is an error.
    mutating func foreignFile(_ name: [UInt8]) throws(Failure)
    /// Optional; does nothing by default.
    mutating func walRange(_ range: ManifestWALRange) throws(Failure)
}

extension ManifestSink where Self: ~Copyable {
    package mutating func walRange(_ range: ManifestWALRange) throws(Failure) {}

    package mutating func foreignFile(_ name: [UInt8]) throws(Failure) {
        throw failure(
            BackupFormatError(
                .unsafePath, "backup manifest lists a file outside of the backup: \"\(MemberPath.escaped(name))\""))
    }
}

/// How a backup manifest is read.
package enum ManifestDialect: Sendable {
    /// Unknown, missing and duplicate fields are errors: what is not understood cannot prove that a backup is complete.
    case strict
    /// As pg_verifybackup reads it: some fields may be missing, the last one of a name counts, numbers may be in quotes, as
    /// far as strtoul(3) reads them. Errors have its words. What its checks then find missing is missing.
    case stock
}
