import UnderstudyBackupFormat
import UnderstudyTestSupport
import UnderstudyWAL

/// WAL made by a test, as a server of the version with that magic number would write it: one segment of 1 MB, in small pages.
struct BuiltWAL {
    static let pageSize = 1024
    static let size = WALSegmentSize(bytes: 1 << 20)!

    let magic: UInt16
    let isBigEndian: Bool
    let start: LSN
    var timeline: UInt32
    private(set) var bytes: [UInt8] = []
    var previous: LSN

    init(magic: UInt16 = 0xD118, isBigEndian: Bool = false, start: LSN = LSN("1/200000")!, timeline: UInt32 = 1) {
        self.magic = magic
        self.isBigEndian = isBigEndian
        self.start = start
        self.timeline = timeline
        previous = LSN(rawValue: start.rawValue - 40)
    }

    var end: LSN { LSN(rawValue: start.rawValue + UInt64(bytes.count)) }
    /// Bytes up to the next page; 0 at its start.
    var room: Int { (Self.pageSize - bytes.count % Self.pageSize) % Self.pageSize }

    func number(_ value: UInt64, _ count: Int) -> [UInt8] {
        let little = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
        return isBigEndian ? little.reversed() : little
    }

    mutating func putPageHeader(flags: UInt64 = 0, rest: Int = 0) {
        let isFirst = bytes.isEmpty
        let address = end.rawValue
        bytes += number(UInt64(magic), 2) + number(flags | (isFirst ? 2 : 0), 2) + number(UInt64(timeline), 4)
        bytes += number(address, 8) + number(UInt64(rest), 4) + number(0, 4)
        if isFirst { bytes += number(77, 8) + number(Self.size.bytes, 4) + number(UInt64(Self.pageSize), 4) }
    }

    /// A record with its checksum, not yet put anywhere.
    func record(_ content: [UInt8], manager: UInt8 = 10, info: UInt8 = 0, transaction: UInt64 = 700) -> [UInt8] {
        var header = number(UInt64(24 + content.count), 4) + number(transaction, 4) + number(previous.rawValue, 8)
        header += [info, manager, 0, 0]
        var checksum = CRC32C()
        checksum.update(content.raw)
        checksum.update(header.raw)
        return header + number(UInt64(checksum.value), 4) + content
    }

    /// The header of data, and the data.
    func data(_ bytes: [UInt8]) -> [UInt8] {
        bytes.count < 256 ? [255, UInt8(bytes.count)] + bytes : [254] + number(UInt64(bytes.count), 4) + bytes
    }

    /// Puts a record behind what is there.
    ///
    /// - Parameter limit: How much of it is written; nil for all.
    /// - Returns: Where it begins.
    @discardableResult
    mutating func add(_ record: [UInt8], limit: Int? = nil) -> LSN {
        if room == 0 { putPageHeader() }
        let position = end
        var rest = record[...]
        var left = limit ?? record.count
        while left > 0 {
            if room == 0 { putPageHeader(flags: 1, rest: rest.count) }
            let part = rest.prefix(min(room, left))
            bytes += part
            rest = rest.dropFirst(part.count)
            left -= part.count
        }
        bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
        if limit == nil { previous = position }
        return position
    }
}
