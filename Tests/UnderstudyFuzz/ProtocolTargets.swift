import UnderstudyConfiguration
import UnderstudyFileIO
import UnderstudyProtocol
import UnderstudyReceiver

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
    _ = try? BackupPosition(rows, fallback: TimelineID(rawValue: 1))
    _ = try? AnnouncedArchive.decode(rows)
    _ = try? SlotState.decode(rows)
    _ = try? NextTimeline(rows)
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

/// Bytes as events: WAL, syncs and stops in any order. What is acknowledged is never more than what was synced.
func fuzzReceiving(_ bytes: [UInt8]) {
    let start = LSN(rawValue: 0x300_0000)
    var machine = ReceiveMachine(
        start: start, timeline: TimelineID(rawValue: 1), segmentSize: .default,
        policy: .init(statusInterval: .seconds(10), syncBytes: 1 << 16, silenceLimit: .seconds(60)))
    var synced = start, now = Duration.zero, written = start.rawValue
    var rest = bytes[...]
    while let code = rest.popFirst(), let value = rest.popFirst() {
        let event: ReceiveMachine.Event =
            switch code % 8 {
            case 0, 1: .data(start: machine.received, count: Int(value) << (code >> 4))
            case 2: .keepalive(replyRequested: value & 1 == 1)
            case 3: .drained
            case 4: .synced(min(machine.received, LSN(rawValue: synced.rawValue + UInt64(value) << (code >> 4))))
            case 5: .tick
            case 6: .stop(at: LSN(rawValue: start.rawValue + UInt64(value) << 8))
            default: .data(start: LSN(rawValue: start.rawValue + UInt64(value) << 8), count: Int(code))
            }
        if case .synced(let position) = event { synced = position }
        now += .milliseconds(Int(value) * 40)
        guard let actions = try? machine.handle(event, now: now) else { return }
        for action in actions {
            switch action {
            case .acknowledge(let status):
                precondition(status.flushed <= max(synced, .invalid) && status.flushed <= status.written)
            case .write(let range, let segment, let offset):
                precondition(segment.startLSN.rawValue + UInt64(offset) == written, "a gap or an overlap")
                written += UInt64(range.count)
            case .finish: precondition(machine.received == start || machine.flushed == machine.received)
            case .sync, .follow: break
            }
        }
    }
}

/// Texts of ours that somebody else may have changed.
func fuzzTexts(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    let record = UnfinishedRecord(reading: text)
    precondition(UnfinishedRecord(reading: record.text).made == record.made, "a mark changes when it is written again")
}
