import UnderstudyBackupFormat
import UnderstudyWAL

/// The fixed part that a record begins with.
///
/// Source: XLogRecord in xlogrecord.h: total length (4), transaction (4), previous record (8), info (1), resource manager
/// (1), padding (2), checksum (4). Up to 9.4, in xlog.h: total length (4), transaction (4), length of the data (4), info
/// (1), resource manager (1), padding (2), previous record (8), checksum (4), padding (4).
struct RecordHeader {
    let totalLength: Int
    let transaction: UInt32
    /// Up to 9.4 only.
    let dataLength: Int
    let previous: LSN
    let info: UInt8
    let resourceManager: UInt8
    let checksum: UInt32

    /// - Parameter bytes: Has all of it at `offset`.
    @inline(__always)
    init(_ bytes: RawSpan, at offset: Int, _ format: WALFormat) {
        let order = format.order
        totalLength = Int(bytes.uint32(at: offset, order))
        transaction = bytes.uint32(at: offset + 4, order)
        checksum = bytes.uint32(at: offset + format.checksumOffset, order)
        let previous: Int, info: Int
        if format.isLegacy {
            dataLength = Int(bytes.uint32(at: offset + 8, order))
            (info, previous) = (12, 16)
        } else {
            dataLength = 0
            (previous, info) = (8, 16)
        }
        self.previous = LSN(rawValue: bytes.uint64(at: offset + previous, order))
        self.info = bytes.byte(at: offset + info)
        resourceManager = bytes.byte(at: offset + info + 1)
    }

    /// XLOG_SWITCH of the resource manager XLOG.
    static func isSwitch(_ resourceManager: UInt8, _ info: UInt8) -> Bool {
        resourceManager == 0 && info & 0xF0 == 0x40
    }

    var isSwitch: Bool { Self.isSwitch(resourceManager, info) }

    /// XLOG_OVERWRITE_CONTRECORD: it stands where a record should go on that was given up. Its data begins with that
    /// record's position.
    var isOverwrite: Bool { resourceManager == 0 && info & 0xF0 == 0xD0 }
}

/// The checksum of a record: of what follows its header, then of the header up to the checksum.
struct RecordChecksum: Sendable {
    private let isLegacy: Bool
    private var current = CRC32C()
    private var legacy = LegacyCRC32()

    @inline(__always)
    init(_ format: WALFormat) {
        isLegacy = format.isLegacy
    }

    @inline(__always)
    mutating func update(_ bytes: RawSpan) {
        if isLegacy { legacy.update(bytes) } else { current.update(bytes) }
    }

    var value: UInt32 { isLegacy ? legacy.value : current.value }
}
