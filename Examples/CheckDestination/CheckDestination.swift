import MemoryDestination
import Understudy
import UnderstudyTestKit

/// The destination as the conformance suite sees it. Its store lives in itself, so it is started once.
struct MemoryStore: WALTestStore {
    let destination = MemoryDestination()

    func start() -> any WALDestination { destination }
    func content(of segment: WALSegment) -> [UInt8]? { destination.content(of: segment) }
    func history(of timeline: TimelineID) -> [UInt8]? { destination.history(of: timeline) }
}

/// Checks the example's destination against what the archiver relies on.
@main
struct CheckDestination {
    static func main() throws {
        let suite = WALDestinationSuite { MemoryStore() }
        // It suits a server that is never promoted.
        let rules = WALDestinationRule.allCases.filter { $0 != .setsAsideAfterFork }
        let violations = suite.violations(of: rules)
        for violation in violations { print(violation) }
        guard violations.isEmpty else { throw WALDestinationError("\(violations.count) promises are not kept") }
        print("\(rules.count) promises are kept")
    }
}
