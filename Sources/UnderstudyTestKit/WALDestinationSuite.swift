/// Checks a `WALDestination` against what the archiver relies on.
///
/// Each scenario gets a store of its own and makes the calls that an archiver makes: segments in pieces of uneven size,
/// syncs in between, partial segments, bytes that come twice, connections that end and begin again, kills, new
/// timelines, history files, another cluster, and a store that is full.
///
/// It needs no test framework: what it finds is a value.
///
/// ```swift
/// @Test func conformance() {
///     let suite = WALDestinationSuite { BucketStore(prefix: UUID().uuidString) }
///     #expect(suite.violations() == [])
/// }
/// ```
///
/// It cannot see whether a machine that loses power keeps what was synced: only that what was synced has left the
/// destination for its store.
public struct WALDestinationSuite {
    /// A promise that was not kept.
    public struct Violation: Hashable, Sendable, CustomStringConvertible {
        public var rule: WALDestinationRule
        /// What was done: `a segment is written again`.
        public var scenario: String
        /// What was seen, and what was wanted.
        public var message: String

        public var description: String { "\(rule): \(message) (\(scenario))" }
    }

    private let segmentSize: Int
    private let makeStore: () throws -> any WALTestStore

    /// - Parameters:
    ///   - segmentSize: Bytes in a segment: a power of two from 1 MB to 1 GB.
    ///   - makeStore: Makes a new, empty store for each scenario.
    public init(segmentSize: Int = 1 << 20, makeStore: @escaping () throws -> any WALTestStore) {
        precondition(
            segmentSize.nonzeroBitCount == 1 && (1 << 20...1 << 30).contains(segmentSize),
            "a segment has a power of two of bytes, from 1 MB to 1 GB")
        self.segmentSize = segmentSize
        self.makeStore = makeStore
    }

    /// Runs all scenarios, one after the other.
    ///
    /// - Parameter rules: Violations of other rules are not returned.
    /// - Returns: What was violated, each rule once for each scenario; empty if the destination keeps all promises.
    public func violations(of rules: [WALDestinationRule] = WALDestinationRule.allCases) -> [Violation] {
        Scenario.all.flatMap { violations(in: $0) }.filter { rules.contains($0.rule) }
    }

    private func violations(in scenario: Scenario) -> [Violation] {
        let sample = SampleWAL(segmentSize: segmentSize)
        do {
            let trial = Trial(scenario.name, store: try makeStore(), sample: sample)
            return trial.violations(in: scenario.run)
        } catch {
            return [Violation(rule: .takesEveryCall, scenario: scenario.name, message: "no store: \(error)")]
        }
    }
}
