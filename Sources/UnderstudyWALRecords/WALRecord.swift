public import UnderstudyWAL

/// A record of the write-ahead log, as far as its headers tell.
///
/// Source: PostgreSQL's xlogrecord.h; the values are those that pg_waldump(1) prints.
public struct WALRecord: Hashable, Sendable {
    /// Where it begins.
    public var position: LSN
    /// Where the next one begins at the earliest. Behind a switch to the next segment that is this segment's end.
    public var end: LSN
    /// Where the one before begins.
    public var previous: LSN
    /// In bytes, with header and images, without the page headers in between.
    public var totalLength: Int
    /// 0 if it belongs to no transaction.
    public var transaction: UInt32
    public var resourceManager: WALResourceManager
    /// The flags: the upper four bits are the resource manager's.
    public var info: UInt8
    /// The length of what belongs to no block, in bytes.
    public var dataLength: Int
    /// The number of full-page images in it.
    public var imageCount: Int
    /// Their length together, in bytes, as stored. For 9.3 and 9.4 with their headers.
    public var imagesLength: Int
    /// How its images are compressed; empty if none is.
    public var compression: ImageCompression

    /// How full-page images are compressed. They are recognised, not unpacked.
    public struct ImageCompression: OptionSet, Hashable, Sendable {
        public var rawValue: UInt8

        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// From 9.5 on.
        public static let pglz = ImageCompression(rawValue: 1)
        /// From 15 on.
        public static let lz4 = ImageCompression(rawValue: 2)
        /// From 15 on.
        public static let zstd = ImageCompression(rawValue: 4)
    }

    /// Whether it ends its segment, whose rest is unused: XLOG_SWITCH.
    public var isSegmentSwitch: Bool { RecordHeader.isSwitch(resourceManager.number, info) }
}

/// The part of the server that wrote a record, and replays it.
///
/// Source: rmgrlist.h of each version.
public struct WALResourceManager: Hashable, Sendable, CustomStringConvertible {
    public let number: UInt8

    init(number: UInt8) {
        self.number = number
    }

    /// From 15 on, extensions have numbers from here on.
    static let firstCustom: UInt8 = 128

    /// The name that pg_waldump prints, such as `Heap2`; `custom128` for the first of extensions.
    public var name: String {
        Int(number) < Self.names.count ? Self.names[Int(number)] : "custom\(number)"
    }

    public var description: String { name }

    /// Versions have added names at the end, and changed none.
    private static let names = [
        "XLOG", "Transaction", "Storage", "CLOG", "Database", "Tablespace", "MultiXact", "RelMap", "Standby", "Heap2",
        "Heap", "Btree", "Hash", "Gin", "Gist", "Sequence", "SPGist", "BRIN", "CommitTs", "ReplicationOrigin",
        "Generic", "LogicalMessage", "XLOG2",
    ]
}
