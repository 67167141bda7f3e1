import UnderstudyStreaming
import UnderstudyWAL

/// Calls a destination as the archiver does, keeps account of what it was given, and compares its answers and its store
/// with that.
final class Trial {
    typealias Rule = WALDestinationRule

    let sample: SampleWAL
    /// Whether the store is full at each call, until the call has failed once.
    var isTight = false
    private let scenario: String
    private let store: any WALTestStore
    private var found: [WALDestinationSuite.Violation] = []
    private var destination: (any WALDestination)?
    /// The segment begun last, and how much of it has been written since.
    private var current: (segment: WALSegment, count: Int)?
    /// What the destination may answer at most: the end of what it was given.
    private var limit = LSN.invalid
    private var acknowledged: LSN?
    /// Begun since the timeline or the connection began.
    private var begun: [WALSegment] = []
    /// The most that was ever written of each segment.
    private var most: [WALSegment: Int] = [:]
    /// How much of each segment must be held, and why.
    private var wanted: [WALSegment: (count: Int, rule: Rule)] = [:]
    private var contents: [WALSegment: [UInt8]] = [:]

    init(_ scenario: String, store: any WALTestStore, sample: SampleWAL) {
        self.scenario = scenario
        self.store = store
        self.sample = sample
    }

    /// All that a scenario finds.
    func violations(in scenario: (Trial) throws -> Void) -> [WALDestinationSuite.Violation] {
        do { try scenario(self) } catch { record(.takesEveryCall, "\(error)") }
        return found
    }

    /// Each rule is recorded once.
    func record(_ rule: Rule, _ message: String) {
        guard !found.contains(where: { $0.rule == rule }) else { return }
        found.append(.init(rule: rule, scenario: scenario, message: message))
    }

    func expect(_ isKept: Bool, _ rule: Rule, _ message: @autoclosure () -> String) {
        if !isKept { record(rule, message()) }
    }

    // MARK: - Connections

    /// Opens it, and sees that it continues where it has to, with everything in its store that must be there.
    ///
    /// - Parameter wanted: Where the stream has to continue; nil for nowhere.
    @discardableResult
    func open(_ origin: WALOrigin? = nil, next wanted: WALPosition?) throws -> WALHoldings {
        let holdings = try openAnywhere(origin)
        if let next = holdings.next, wanted.map({ next.lsn > $0.lsn }) ?? true {
            let rule: Rule = wanted == nil ? .startsEmpty : .continuesWithoutGap
            record(rule, "next is \(Self.text(next)), not \(Self.text(wanted))")
        } else {
            expect(
                holdings.next == wanted, .continuesWhereItEnded,
                "next is \(Self.text(holdings.next)), not \(Self.text(wanted))")
        }
        return holdings
    }

    /// Opens it, wherever it continues.
    @discardableResult
    func openAnywhere(_ origin: WALOrigin? = nil) throws -> WALHoldings {
        if destination == nil { destination = try store.start() }
        forgetStream()
        let holdings = try call("open") { try $0.open(origin ?? sample.origin()) }
        limit = holdings.next?.lsn ?? .invalid
        for segment in wanted.keys.sorted(by: { $0.name < $1.name }) {
            let isDurable = holdings.isDurable && holdings.next.map { segment.end <= $0.lsn } ?? false
            try check(segment, isDurable ? .holdingsAreDurable : nil)
        }
        return holdings
    }

    private static func text(_ position: WALPosition?) -> String {
        position.map { "\($0.lsn) on timeline \($0.timeline)" } ?? "nil"
    }

    func close() {
        destination?.close()
        forgetStream()
    }

    /// Lets the destination go as a killed program does, without a call; the next `open` starts another.
    func kill() {
        destination = nil
        forgetStream()
    }

    /// Ends the connection in order, and starts anew.
    func restart() throws {
        try suspend()
        close()
        kill()
    }

    private func forgetStream() {
        current = nil
        acknowledged = nil
        begun = []
    }

    // MARK: - Segments

    func begin(_ segment: WALSegment) throws {
        try call("begin") { try $0.begin(segment) }
        current = (segment, 0)
        if begun.isEmpty { acknowledged = nil }
        begun.append(segment)
        limit = segment.start
        checkWritten()
    }

    /// Writes the bytes up to an offset, in pieces of uneven size.
    ///
    /// - Parameter start: The offset of the first byte, if it was written before.
    func write(upTo end: Int, from start: Int? = nil, beforeSync: Bool = false) throws {
        guard let (segment, count) = current else { return }
        let content = content(of: segment)
        var offset = start ?? count
        var length = 1
        while offset < end {
            let next = min(end, offset + length)
            try call("write") { destination in
                // The array outlives the call.
                let bytes = unsafe content.span.bytes.extracting(offset..<next)
                if beforeSync && next == end {
                    try destination.writeToSync(bytes, at: offset)
                } else {
                    try destination.write(bytes, at: offset)
                }
            }
            offset = next
            length = length * 7 % 300_007
        }
        current = (segment, max(count, end))
        most[segment] = max(most[segment] ?? 0, end)
        limit = LSN(rawValue: segment.start.rawValue + UInt64(max(count, end)))
        checkWritten()
    }

    /// Syncs, and compares the answer with what was written and the store with the answer.
    @discardableResult
    func sync() throws -> LSN? {
        let answer = try call("sync") { try $0.sync() }
        if let acknowledged {
            expect(
                answer.map { $0 >= acknowledged } ?? false, .acknowledgementNeverFalls,
                "sync returned \(acknowledged), then \(answer.map { "\($0)" } ?? "nil")")
        }
        guard let answer else { return nil }
        expect(answer <= limit, .acknowledgesWhatWasWritten, "sync returned \(answer), written is \(limit)")
        acknowledged = max(acknowledged ?? answer, answer)
        for segment in begun where answer > segment.start {
            let count = Int(min(answer, segment.end, limit).rawValue - segment.start.rawValue)
            // What was compared before is compared again when a connection begins.
            if segment == current?.segment || wanted[segment].map({ $0.count < count }) ?? true {
                try want(segment, count, .keepsWhatIsAcknowledged)
            }
        }
        checkWritten()
        return answer
    }

    func finish() throws {
        guard let (segment, _) = current else { return }
        try call("finish") { try $0.finish(segment) }
        current = nil
        limit = segment.end
        checkWritten()
    }

    /// A whole segment, from its first byte to its name.
    func store(_ segment: WALSegment) throws {
        try begin(segment)
        try write(upTo: segment.size)
        try finish()
    }

    func suspend() throws {
        let last = current
        try call("suspend") { try $0.suspend() }
        // A finished segment is there as a whole once nothing is under way any more.
        for segment in begun where most[segment] == segment.size && segment != last?.segment {
            try want(segment, segment.size, .keepsFinishedSegments)
        }
        if let (segment, count) = last { try want(segment, count, .keepsWhatIsSuspended) }
        current = nil
        acknowledged = nil
        begun = []
    }

    func putHistory(_ timeline: TimelineID, _ content: [UInt8]) throws {
        try call("putHistory") { try $0.putHistory(timeline, content) }
        let held = try store.history(of: timeline)
        expect(held == content, .keepsHistories, "timeline \(timeline) has another history than was put last")
    }

    func noteGap(_ gap: WALGap) throws {
        try call("noteGap") { try $0.noteGap(gap) }
    }

    private func call<Value>(
        _ name: String, _ body: (any WALDestination) throws -> Value
    ) throws -> Value {
        guard let destination else { preconditionFailure("open comes first") }
        do {
            if isTight { isTight = try store.setFull(true) }
            let value = try body(destination)
            if isTight { _ = try store.setFull(false) }
            return value
        } catch let error as WALDestinationError where isTight {
            _ = try store.setFull(false)
            expect(error.isTemporary, .waitsForRoom, "\(name) in a full store: \(error), which is not temporary")
            do { return try body(destination) } catch {
                record(.waitsForRoom, "\(name), repeated with room: \(error)")
                throw error
            }
        }
    }

    private func checkWritten() {
        guard let written = destination?.written else { return }
        expect(written <= limit, .reportsWhatWasWritten, "written is \(written), beyond \(limit)")
    }

    // MARK: - The store

    private func content(of segment: WALSegment) -> [UInt8] {
        if let content = contents[segment] { return content }
        let content = sample.content(of: segment)
        contents[segment] = content
        return content
    }

    private func want(_ segment: WALSegment, _ count: Int, _ rule: Rule) throws {
        if wanted[segment].map({ $0.count < count || rule == .keepsFinishedSegments }) ?? true {
            wanted[segment] = (count, rule)
        }
        try check(segment)
    }

    /// The segment need not be held any longer.
    func letGo(_ segment: WALSegment) {
        wanted[segment] = nil
    }

    /// Sees that no more is held of a segment than its first bytes, because what follows was set aside.
    func expectSetAside(_ segment: WALSegment, from offset: Int) throws {
        let isAside = try store.content(of: segment)?.isZero(from: offset) ?? true
        if isAside { most[segment] = offset }
        expect(isAside, .setsAsideAfterFork, "segment \(segment.name) holds what follows byte \(offset)")
    }

    private func check(_ segment: WALSegment, _ rule: Rule? = nil) throws {
        guard let (count, reason) = wanted[segment] else { return }
        let held = try store.content(of: segment) ?? []
        let isHeld = content(of: segment).hasSamePrefix(as: held, count)
        expect(isHeld, reason, "segment \(segment.name) does not hold its first \(count) bytes")
        if let rule { expect(isHeld, rule, "segment \(segment.name) is not held, but isDurable is true") }
        let end = max(most[segment] ?? 0, count)
        let surplus = held.count > segment.size || (held.count > end && !held.isZero(from: end))
        expect(!surplus, .inventsNothing, "segment \(segment.name) holds more than the \(end) bytes written")
    }
}
