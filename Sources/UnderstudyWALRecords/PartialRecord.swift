import UnderstudyBackupFormat
import UnderstudyWAL

/// A record of which the pages so far hold a part. Memory does not grow with its length.
struct PartialRecord: Sendable {
    private(set) var isActive = false
    private(set) var position = LSN.invalid
    private(set) var totalLength = 0
    /// How many bytes are still to come.
    private(set) var remaining = 0
    /// Whether its header was looked at.
    var isAccepted = false
    /// Its first bytes: the header, and the headers of blocks.
    private(set) var head: [UInt8] = []
    private var checksum: RecordChecksum?

    mutating func begin(_ position: LSN, totalLength: Int, isAccepted: Bool, _ format: WALFormat) {
        isActive = true
        self.position = position
        self.totalLength = totalLength
        remaining = totalLength
        self.isAccepted = isAccepted
        head.removeAll(keepingCapacity: true)
        checksum = RecordChecksum(format)
    }

    mutating func giveUp() {
        isActive = false
    }

    /// - Parameter bytes: At most those that remain.
    mutating func take(_ bytes: RawSpan, _ format: WALFormat) {
        let done = totalLength - remaining
        let ofHeader = min(bytes.byteCount, max(0, format.headerSize - done))
        checksum?.update(bytes.extracting(ofHeader...))
        let room = format.headerSize + RecordContent.longestHeaders - head.count
        if room > 0 { bytes.extracting(..<min(room, bytes.byteCount)).append(to: &head) }
        remaining -= bytes.byteCount
    }

    /// The checksum, once nothing remains.
    func finish(_ format: WALFormat) -> UInt32 {
        var whole = checksum
        whole?.update(head.rawSpan.extracting(..<format.checksumOffset))
        return whole?.value ?? 0
    }
}
