import Testing
import UnderstudyTestKit

@Suite("The conformance suite of destinations")
struct WALDestinationSuiteTests {
    private func violations(_ fault: Fault?, segmentSize: Int = 1 << 20) -> [WALDestinationSuite.Violation] {
        WALDestinationSuite(segmentSize: segmentSize) { ModelStore(fault) }.violations()
    }

    @Test("finds nothing where every promise is kept", arguments: [1 << 20, 2 << 20])
    func sound(segmentSize: Int) {
        #expect(violations(nil, segmentSize: segmentSize) == [])
    }

    @Test("finds each promise that is broken", arguments: Fault.allCases)
    func broken(_ fault: Fault) {
        let violations = violations(fault)
        #expect(violations.contains { $0.rule == fault.rule }, "\(violations)")
    }

    @Test("has a rule for each fault, and a fault for each rule")
    func complete() {
        #expect(Set(Fault.allCases.map(\.rule)) == Set(WALDestinationRule.allCases))
        #expect(Set(WALDestinationRule.allCases.map(\.description)).count == WALDestinationRule.allCases.count)
    }

    @Test("leaves out the rules that are not asked for")
    func chosen() {
        let suite = WALDestinationSuite { ModelStore(.ignoresForks) }
        let others = WALDestinationRule.allCases.filter { $0 != .setsAsideAfterFork }
        #expect(suite.violations(of: [.setsAsideAfterFork]).allSatisfy { $0.rule == .setsAsideAfterFork })
        #expect(suite.violations(of: others).allSatisfy { $0.rule != .setsAsideAfterFork })
    }

    @Test("says what was done and seen")
    func words() {
        let violation = violations(.syncsTooFar).first { $0.rule == .acknowledgesWhatWasWritten }
        #expect(
            violation?.description == """
                sync returns no position beyond what was written: sync returned 0/300001, written is 0/300000 (segments \
                with syncs in between)
                """)
    }
}
