import Testing
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyProtocol

/// Plays server, writer and disk against the machine, in a random order, and checks what it is told to do.
private struct Rig {
    /// What the writer has to tell of a sync, or of the end of a timeline.
    struct Report {
        var synced: LSN?
        var settled: LSN
    }

    let policy: ReceiveMachine.Policy
    let segmentSize: WALSegmentSize
    let stop: LSN
    let syncsToDisk: Bool
    var machine: ReceiveMachine
    var random: SplitMix64

    /// How far the server has sent.
    var sent = Stream.start
    var isStopKnown = false
    var isSynchronous = false
    /// Every byte must be written once, in order: so the next write begins here.
    var written = Stream.start
    /// Reports of syncs that were asked for, and are not made yet.
    var pending: [Report] = []
    /// Up to where a sync was asked for.
    var asked = Stream.start
    /// What was reported as synced, as in the hands of the system, and as settled.
    var synced = LSN.invalid
    var inSystem = Stream.start
    var settled = Stream.start
    /// The positions that the server was told last, on this connection and on this timeline.
    var reportedFlushed = LSN.invalid
    var toldWritten = LSN.invalid
    /// Where the timeline ends that is to be left when all of it is synced.
    var fork: LSN?
    var lastStatus: Duration?
    var isFinished = false
    var switches = 0
    var connections = 1
    var now = Duration.zero

    init(seed: UInt64) throws {
        random = SplitMix64(state: seed)
        segmentSize = try #require(WALSegmentSize(bytes: 1 << UInt64.random(in: 20...24, using: &random)))
        syncsToDisk = seed % 4 != 0
        stop = Stream.lsn(Int.random(in: 0...(40 << 20), using: &random))
        policy = ReceiveMachine.Policy(
            statusInterval: seed % 3 == 0 ? nil : .seconds(2),
            syncBytes: 1 << UInt64.random(in: 10...23, using: &random),
            syncInterval: .seconds(1), quietLimit: seed % 2 == 0 ? nil : .seconds(1), reconnects: true)
        machine = ReceiveMachine(
            start: Stream.start, timeline: TimelineID(rawValue: 1), segmentSize: segmentSize, policy: policy)
    }

    mutating func handle(_ event: ReceiveMachine.Event) throws {
        for action in try machine.handle(event, now: now) {
            switch action {
            case .write(let range, let segment, let offset):
                #expect(segment.timeline == machine.timeline)
                #expect(LSN(rawValue: segment.startLSN.rawValue + UInt64(offset)) == written)
                #expect(!range.isEmpty && offset + range.count <= Int(segmentSize.bytes))
                written = LSN(rawValue: written.rawValue + UInt64(range.count))
            case .sync:
                asked = written
                pending.append(Report(synced: syncsToDisk ? written : nil, settled: written))
            case .acknowledge(let status):
                #expect(fork == nil)
                #expect(status.written <= max(inSystem, synced))
                #expect(status.flushed <= synced && status.flushed <= status.written)
                #expect(status.flushed >= reportedFlushed && status.written >= toldWritten)
                (reportedFlushed, toldWritten) = (status.flushed, status.written)
                if !syncsToDisk { #expect(status.flushed == .invalid) }
                lastStatus = now
            case .follow(let timeline, let position): follow(timeline, position)
            case .finish:
                #expect(!isFinished)
                #expect(settled >= written && written >= stop && isStopKnown)
                isFinished = true
            case .reconnect: try reconnect()
            }
        }
    }

    /// Everything of the old timeline is synced by now, and what lies before the fork stays so.
    private mutating func follow(_ timeline: TimelineID, _ position: LSN) {
        #expect(timeline == machine.timeline && position == machine.received)
        #expect(position.isSegmentStart(segmentSize) && position <= written)
        #expect(settled >= written && reportedFlushed <= fork!)
        pending = []
        (written, sent, asked, settled) = (position, position, position, position)
        synced = min(synced, fork!)
        (inSystem, toldWritten) = (max(synced, position), .invalid)
        fork = nil
    }

    /// Over a new connection, the stream goes on where the last segment began.
    private mutating func reconnect() throws {
        let position = written.segmentStart(segmentSize)
        machine = ReceiveMachine(
            start: position, timeline: machine.timeline, segmentSize: segmentSize, policy: policy)
        (written, sent, asked, settled) = (position, position, position, position)
        (synced, inSystem, reportedFlushed, toldWritten) = (.invalid, position, .invalid, .invalid)
        fork = nil
        pending = []
        lastStatus = nil
        connections += 1
        try handle(.tick)
        try handle(.synchronous(isSynchronous))
        if isStopKnown { try handle(.stop(at: stop)) }
    }

    mutating func step() throws {
        now += .milliseconds(Int.random(in: 0...400, using: &random))
        // Between two timelines only the writer has something to tell.
        if fork != nil {
            if !pending.isEmpty { try report(pending.removeFirst()) }
            return
        }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<50:
            let count = Int.random(in: 0...(1 << Int.random(in: 0...22, using: &random)), using: &random)
            try handle(.data(start: sent, count: count))
            sent = LSN(rawValue: sent.rawValue + UInt64(count))
            #expect(written.rawValue - asked.rawValue < policy.syncBytes)
        case 50..<60:
            try handle(.drained)
            if isSynchronous { #expect(asked == written) }
        case 60..<70:
            try handle(.tick)
            if let limit = policy.quietLimit { #expect(lastStatus.map { now - $0 < limit } == true) }
        case 70..<75: try handle(.keepalive(replyRequested: false))
        case 75..<80:
            try handle(.keepalive(replyRequested: true))
            #expect(lastStatus == now && asked == written)
        case 80..<87 where !pending.isEmpty: try report(pending.removeFirst())
        case 87..<90:
            inSystem = LSN(
                rawValue: UInt64.random(in: inSystem.rawValue...max(inSystem, written).rawValue, using: &random))
            try handle(.written(inSystem))
        case 90..<95 where !isStopKnown && sent.rawValue > stop.rawValue / 2:
            isStopKnown = true
            try handle(.stop(at: stop))
        case 95..<97:
            isSynchronous.toggle()
            try handle(.synchronous(isSynchronous))
        case 97 where switches < 3: return try switchTimeline()
        case 98 where connections < 3: return try handle(.endOfStream)
        default: return
        }
        if let interval = policy.statusInterval { #expect(lastStatus.map { now - $0 < interval } == true) }
    }

    private mutating func report(_ report: Report) throws {
        if let position = report.synced {
            synced = max(synced, position)
            settled = max(settled, position)
            try handle(.synced(position))
        }
        settled = max(settled, report.settled)
        try handle(.settled(report.settled))
    }

    private mutating func switchTimeline() throws {
        switches += 1
        let back = UInt64.random(in: 0...min(4 << 20, written.rawValue - Stream.start.rawValue), using: &random)
        let fork = LSN(rawValue: written.rawValue - back)
        let row = ["\(machine.timeline.rawValue + 1)", "\(fork)"]
        self.fork = fork
        try handle(
            .endOfTimeline(NextTimeline(ResultSet(columns: ["next_tli", "next_tli_startpos"], rows: [row]))))
    }
}

@Suite("Receiving WAL, in any order of events")
struct ReceivePropertyTests {
    @Test(
        "no byte is lost or doubled, and nothing is acknowledged that was not synced",
        arguments: 0..<100 as Range<UInt64>)
    func anyOrder(_ seed: UInt64) throws {
        var rig = try Rig(seed: seed)
        for _ in 0..<100_000 where !rig.isFinished {
            try rig.step()
            // After the stop the server may be ahead of what is taken.
            #expect(rig.machine.received == rig.written)
            #expect(rig.written == rig.sent || (rig.isStopKnown && rig.written >= rig.stop))
            #expect(rig.machine.flushed <= rig.synced)
        }
        #expect(rig.isFinished)
        #expect(rig.written <= rig.sent)
    }
}
