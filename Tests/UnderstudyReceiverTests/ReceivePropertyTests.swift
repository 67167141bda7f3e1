import Testing
import UnderstudyProtocol
import UnderstudyWAL

@testable import UnderstudyReceiver

/// The same numbers for the same seed, on every machine.
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Plays server, writer and disk against the machine, in a random order, and checks what it is told to do.
private struct Rig {
    var machine: ReceiveMachine
    var random: SplitMix64
    let segmentSize: WALSegmentSize
    let stop: LSN
    let syncsToDisk: Bool

    /// Every byte must be written once, in order: so the next write begins here.
    var written = Stream.start
    /// Positions of syncs that were asked for, and not reported yet.
    var pending: [LSN] = []
    /// What was reported as synced.
    var reported = LSN.invalid
    var isFinished = false
    var now = Duration.zero

    mutating func handle(_ event: ReceiveMachine.Event) throws {
        for action in try machine.handle(event, now: now) {
            switch action {
            case .write(let range, let segment, let offset):
                #expect(LSN(rawValue: segment.startLSN.rawValue + UInt64(offset)) == written)
                #expect(!range.isEmpty && offset + range.count <= Int(segmentSize.bytes))
                written = LSN(rawValue: written.rawValue + UInt64(range.count))
            case .sync: pending.append(written)
            case .acknowledge(let status):
                #expect(status.written <= written)
                #expect(status.flushed <= reported)
                if !syncsToDisk { #expect(status.flushed == .invalid) }
            case .follow: Issue.record("the timeline has not ended")
            case .finish:
                #expect(!isFinished)
                #expect(reported >= stop && written >= stop)
                isFinished = true
            }
        }
    }

    mutating func step(_ sent: inout LSN, isStopKnown: inout Bool) throws {
        now += .milliseconds(Int.random(in: 0...400, using: &random))
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5:
            let count = Int.random(in: 0...(1 << Int.random(in: 0...22, using: &random)), using: &random)
            try handle(.data(start: sent, count: count))
            sent = LSN(rawValue: sent.rawValue + UInt64(count))
        case 5: try handle(.drained)
        case 6: try handle(.tick)
        case 7: try handle(.keepalive(replyRequested: Bool.random(using: &random)))
        case 8 where !pending.isEmpty:
            reported = pending.removeFirst()
            try handle(.synced(reported))
        case 9 where !isStopKnown && sent.rawValue > stop.rawValue / 2:
            isStopKnown = true
            try handle(.stop(at: stop))
        default: break
        }
    }
}

@Suite("Receiving WAL, in any order of events")
struct ReceivePropertyTests {
    @Test(
        "no byte is lost or doubled, and nothing is acknowledged that was not synced",
        arguments: 0..<100 as Range<UInt64>)
    func anyOrder(_ seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        let segmentSize = try #require(WALSegmentSize(bytes: 1 << UInt64.random(in: 20...24, using: &random)))
        let syncsToDisk = seed % 4 != 0
        var rig = Rig(
            machine: Stream.machine(
                statusInterval: seed % 3 == 0 ? nil : .seconds(2),
                syncBytes: 1 << UInt64.random(in: 10...23, using: &random), syncsToDisk: syncsToDisk,
                segmentSize: segmentSize),
            random: random, segmentSize: segmentSize,
            stop: Stream.lsn(Int.random(in: 0...(40 << 20), using: &random)), syncsToDisk: syncsToDisk)
        var sent = Stream.start
        var isStopKnown = false
        for _ in 0..<100_000 where !rig.isFinished {
            try rig.step(&sent, isStopKnown: &isStopKnown)
            // After the stop the server may be ahead of what is taken.
            #expect(rig.machine.received == rig.written)
            #expect(rig.written == sent || (isStopKnown && rig.written >= rig.stop))
        }
        #expect(rig.isFinished)
        #expect(rig.written <= sent)
    }
}
