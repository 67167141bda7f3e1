import UnderstudyWAL

@testable import UnderstudyProtocol

/// Positions and segments of the tests: segments of 16 MB, the stream begins at 0/3000000.
enum Stream {
    static let start = LSN(rawValue: 0x300_0000)
    static let megabyte = 1 << 20

    static func lsn(_ offset: Int) -> LSN { LSN(rawValue: UInt64(Int(start.rawValue) + offset)) }

    static func segment(_ number: UInt64, timeline: UInt32 = 1, size: WALSegmentSize = .default) -> WALSegmentName {
        WALSegmentName(timeline: TimelineID(rawValue: timeline), number: number, size: size)!
    }

    /// A machine that sends no status by itself, unless it is told to.
    static func machine(
        statusInterval: Duration? = nil, syncBytes: UInt64 = 16 << 20, syncInterval: Duration = .seconds(1),
        isSynchronous: Bool = false, segmentSize: WALSegmentSize = .default, silenceLimit: Duration? = nil,
        quietLimit: Duration? = nil, reconnects: Bool = false, held: LSN = .invalid, reserved: LSN = .invalid
    ) -> ReceiveMachine {
        ReceiveMachine(
            start: start, timeline: TimelineID(rawValue: 1), segmentSize: segmentSize, held: held, reserved: reserved,
            policy: .init(
                statusInterval: statusInterval, syncBytes: syncBytes, syncInterval: syncInterval,
                isSynchronous: isSynchronous, silenceLimit: silenceLimit, quietLimit: quietLimit,
                reconnects: reconnects))
    }

    static func status(_ written: Int?, _ flushed: Int?, asking: Bool = false) -> ReceiveMachine.Action {
        .acknowledge(
            StandbyStatus(
                written: written.map(lsn) ?? .invalid, flushed: flushed.map(lsn) ?? .invalid, replyRequested: asking))
    }
}
