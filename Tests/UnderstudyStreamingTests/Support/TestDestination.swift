import UnderstudyPlatform
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyStreaming

/// A destination that writes down what it is asked for, and fails or waits where a test wants it.
final class TestDestination: WALDestination {
    enum Kind: Sendable, CaseIterable { case begin, write, sync, finish, suspend, history }

    enum Call: Equatable, Sendable {
        case begin(String)
        case write(offset: Int, [UInt8])
        case sync
        case finish(String)
        case suspend
        case history(UInt32, [UInt8])

        var kind: Kind {
            switch self {
            case .begin: .begin
            case .write: .write
            case .sync: .sync
            case .finish: .finish
            case .suspend: .suspend
            case .history: .history
            }
        }
    }

    private struct State {
        var calls: [Call] = []
        var trouble: [Kind: WALDestinationError] = [:]
        var held: Kind?
        var synced: LSN?
        var written: LSN?
    }

    private let state = Monitor(State())
    let progress: WALProgress? = WALProgress()

    /// What has been asked for, a repeated call each time.
    var calls: [Call] { state.read { $0.calls } }

    /// Calls of this kind fail; with nil they succeed.
    func fail(_ kind: Kind, with error: WALDestinationError?) {
        state.update { $0.trouble[kind] = error }
    }

    /// Calls of this kind do not return until it is released.
    func hold(_ kind: Kind) {
        state.update { $0.held = kind }
    }

    func release() {
        state.update { $0.held = nil }
    }

    /// What a sync is to return.
    func setSynced(_ position: LSN?) {
        state.update { $0.synced = position }
    }

    /// What is in the hands of the system from now on.
    func setWritten(_ position: LSN?) {
        state.update { $0.written = position }
    }

    var written: LSN? { state.read { $0.written } }

    /// Waits until there have been this many calls of a kind.
    func wait(for kind: Kind, count: Int = 1) throws {
        let found = state.wait(timeout: .seconds(60)) { state in
            state.calls.count { $0.kind == kind } >= count ? true : nil
        }
        if found == nil { throw SupportError("waited in vain for \(count) calls of \(kind)") }
    }

    private func answer(_ call: Call) throws(WALDestinationError) {
        state.update { $0.calls.append(call) }
        _ = state.wait { $0.held == call.kind ? nil : true }
        if let error = state.read({ $0.trouble[call.kind] }) { throw error }
    }

    func open(_ origin: WALOrigin) -> WALHoldings { WALHoldings() }

    func begin(_ segment: WALSegment) throws(WALDestinationError) { try answer(.begin(segment.name)) }

    func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        var copy: [UInt8] = []
        for index in 0..<bytes.byteCount {
            // Every byte is a valid UInt8.
            copy.append(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
        }
        try answer(.write(offset: offset, copy))
    }

    func sync() throws(WALDestinationError) -> LSN? {
        try answer(.sync)
        return state.read { $0.synced }
    }

    func finish(_ segment: WALSegment) throws(WALDestinationError) { try answer(.finish(segment.name)) }
    func suspend() throws(WALDestinationError) { try answer(.suspend) }

    func putHistory(_ timeline: TimelineID, _ content: [UInt8]) throws(WALDestinationError) {
        try answer(.history(timeline.rawValue, content))
    }
}

/// A writer with such a destination, and a WAL with segments of 1 MB.
struct WriterRig {
    let destination = TestDestination()
    let writer: WALWriter
    static let size = WALSegmentSize(bytes: 1 << 20)!
    /// The offset from which on four bytes end a segment.
    static let end = (1 << 20) - 4

    init(blocks: Int = 16, noteSync: (@Sendable (Duration) -> Void)? = nil) {
        writer = WALWriter(destination: destination, blocks: blocks, noteSync: noteSync)
    }

    func segment(_ number: UInt64, timeline: UInt32 = 1) -> WALSegmentName {
        WALSegmentName(timeline: TimelineID(rawValue: timeline), number: number, size: Self.size)!
    }

    func lsn(_ number: UInt64, _ offset: UInt64) -> LSN { LSN(rawValue: number << 20 + offset) }

    func write(_ bytes: [UInt8], segment number: UInt64, timeline: UInt32 = 1, at offset: Int) throws {
        guard let block = try writer.takeBlock(timeout: .seconds(60)) else { throw SupportError("no block is free") }
        _ = block.append(bytes.raw)
        writer.write(.init(block: block, segment: segment(number, timeline: timeline), offset: offset))
    }

    /// The first report that is as wanted, with all segments that were finished until then.
    func report(_ isWanted: (WALWriter.Report) -> Bool) throws -> WALWriter.Report {
        var finished: [WALSegmentName] = []
        while true {
            var report = writer.report()
            finished += report.finished
            report.finished = finished
            if isWanted(report) { return report }
            let outcome = Interrupt.wait(
                socket: -1, events: 0, interrupts: [writer.progress], timeout: .seconds(60))
            if outcome == .timedOut { throw SupportError("waited in vain for a report, got \(report)") }
            writer.progress.clear()
        }
    }
}
