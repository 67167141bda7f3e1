import UnderstudyConfiguration
import UnderstudyProtocol

@testable import UnderstudyWAL

func fuzzMessages(_ bytes: [UInt8]) {
    if let message = try? unsafe BackupMessage(bytes.span.bytes) {
        if case .data(let content) = message { precondition(content.byteCount < bytes.count) }
    }
    if let message = try? unsafe WALMessage(bytes.span.bytes) {
        if case .data(_, _, let content) = message { precondition(content.byteCount == bytes.count - 25) }
    }
    let text = String(decoding: bytes, as: UTF8.self)
    if let lsn = LSN(text) { precondition(LSN("\(lsn)") == lsn) }
    // Fields of rows, NULL where one is empty.
    let row: [String?] = text.split(separator: "\n", omittingEmptySubsequences: false).map {
        $0.isEmpty ? nil : String($0)
    }
    let rows = ResultSet(columns: row.map { _ in "c" }, rows: [row])
    _ = try? SystemIdentity(rows)
    _ = try? BackupPosition(rows)
    _ = try? AnnouncedArchive.decode(rows)
    _ = try? SlotState.decode(rows)
    _ = try? NextTimeline(rows)
    if let answer = try? WatchQuery.Answer(rows) { precondition(answer.slot != nil || row[2] == nil) }
    // Names of files in an archive.
    for name in row.compactMap(\.self) {
        guard let segment = ArchivedSegment(fileName: name, size: .default) else { continue }
        precondition(segment.fileName == name, "a segment has another name than its file")
    }
    _ = WALPageHeader(bytes)
}

func fuzzHistory(_ bytes: [UInt8]) {
    guard let number = bytes.first else { return }
    let timeline = TimelineID(rawValue: UInt32(number) + 1)
    guard let history = try? TimelineHistory(parsing: Array(bytes.dropFirst()), of: timeline) else { return }
    precondition(history.contains(timeline), "a timeline is not in its own history")
    let line = history.ancestors.map(\.timeline) + [timeline]
    precondition(zip(line, line.dropFirst()).allSatisfy(<), "timelines are not in their order")
    precondition(history.timeline(of: LSN(rawValue: .max)) == timeline, "the last position is on another timeline")
}

func fuzzControl(_ input: [UInt8]) {
    var bytes = input
    sealControlFile(&bytes)
    guard let file = try? ControlFile(parsing: bytes) else { return }
    // Whatever is read can be configured for.
    let configuration = GeneratedConfiguration(serverVersion: 150_000, controlFile: file)
    precondition(configuration.files.allSatisfy { !$0.name.contains("/") })
}

/// Gives a control file of a known version its right checksum, without which nothing of it would be read.
private func sealControlFile(_ bytes: inout [UInt8]) {
    guard bytes.count >= 12 else { return }
    let version = (8..<12).reversed().reduce(0) { $0 << 8 | UInt32(bytes[$1]) }
    guard let layout = ControlFileLayout.all.last(where: { $0.version == version && $0.checksum + 4 <= bytes.count })
    else { return }
    let checksum = layout.checksumKind.compute(bytes[..<layout.checksum])
    for index in 0..<4 { bytes[layout.checksum + index] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(index))) }
}

/// Bytes as events: WAL, syncs, stops and ends of timelines in any order. What is acknowledged is never more than what
/// was synced.
func fuzzReceiving(_ bytes: [UInt8]) {
    let start = LSN(rawValue: 0x300_0000)
    var machine = ReceiveMachine(
        start: start, timeline: TimelineID(rawValue: 1), segmentSize: .default,
        policy: .init(
            statusInterval: .seconds(10), syncBytes: 1 << 16, silenceLimit: .seconds(60), quietLimit: .seconds(5),
            reconnects: bytes.count % 2 == 0))
    var disk = Positions(start)
    var now = Duration.zero, written = start.rawValue
    var rest = bytes[...]
    while let code = rest.popFirst(), let value = rest.popFirst() {
        let amount = UInt64(value) << (code >> 4)
        let event: ReceiveMachine.Event =
            switch code % 16 {
            case 0, 1: .data(start: machine.received, count: Int(amount))
            case 2: .keepalive(replyRequested: value & 1 == 1)
            case 3: .drained
            case 4: .synced(min(machine.received, LSN(rawValue: disk.synced.rawValue + amount)))
            case 12: .written(min(machine.received, LSN(rawValue: disk.written.rawValue + amount)))
            case 5, 13: .tick
            case 6, 14: .stop(at: LSN(rawValue: start.rawValue + UInt64(value) << 8))
            case 8: .settled(min(machine.received, LSN(rawValue: disk.settled.rawValue + amount)))
            case 9: .synchronous(value & 1 == 1)
            case 10: .endOfStream
            case 11: .endOfTimeline(endOfTimeline(machine, UInt32(value), back: amount))
            default: .data(start: LSN(rawValue: start.rawValue + UInt64(value) << 8), count: Int(code))
            }
        disk.note(event)
        now += .milliseconds(Int(value) * 40)
        guard let actions = try? machine.handle(event, now: now) else { return }
        for action in actions {
            switch action {
            case .acknowledge(let status): disk.check(status)
            case .write(let range, let segment, let offset):
                precondition(segment.startLSN.rawValue + UInt64(offset) == written, "a gap or an overlap")
                precondition(segment.timeline == machine.timeline, "WAL of another timeline")
                written += UInt64(range.count)
            case .finish: precondition(disk.settled >= machine.received, "the end, but not all is written")
            case .follow(_, let position):
                precondition(position.rawValue <= written && position.isSegmentStart(.default))
                precondition(disk.settled.rawValue >= written, "a timeline is left before all of it is synced")
                written = position.rawValue
                disk.follow(from: position)
            case .reconnect: return
            case .sync: break
            }
        }
    }
}

/// What the disk holds, and what the server was told of it.
private struct Positions {
    var synced: LSN
    var written: LSN
    var settled: LSN
    private var fork = LSN(rawValue: .max)
    private var told = (written: LSN.invalid, flushed: LSN.invalid)

    init(_ start: LSN) {
        (synced, written, settled) = (start, start, start)
    }

    mutating func note(_ event: ReceiveMachine.Event) {
        switch event {
        case .synced(let position):
            synced = max(synced, position)
            settled = max(settled, position)
        case .written(let position): written = max(written, position)
        case .settled(let position): settled = max(settled, position)
        // A second end, while the first is waited for, is of no stream that there is.
        case .endOfTimeline(let next): if fork.rawValue == .max { fork = next.position }
        default: break
        }
    }

    mutating func check(_ status: StandbyStatus) {
        precondition(status.flushed <= synced && status.flushed <= status.written, "more is flushed than was synced")
        precondition(status.written <= max(written, synced), "more is written than is written")
        precondition(status.flushed >= told.flushed, "the flushed position goes back")
        precondition(status.written >= told.written, "the written position goes back")
        told = (status.written, status.flushed)
    }

    /// What lies before the fork is held on the timeline that is left.
    mutating func follow(from position: LSN) {
        precondition(told.flushed <= fork, "more was acknowledged than became the past")
        synced = min(synced, fork)
        (written, settled) = (max(synced, position), position)
        told.written = .invalid
        fork = LSN(rawValue: .max)
    }
}

/// The next timeline, or one that no server may name.
private func endOfTimeline(_ machine: ReceiveMachine, _ number: UInt32, back: UInt64) -> NextTimeline {
    let position = machine.received.rawValue
    let row = ["\(machine.timeline.rawValue + number % 4)", "\(LSN(rawValue: position - min(back, position)))"]
    guard let next = try? NextTimeline(ResultSet(columns: ["c", "c"], rows: [row])) else {
        preconditionFailure("the row of a timeline is not read")
    }
    return next
}
