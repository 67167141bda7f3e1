import Testing
import UnderstudyProtocol
import UnderstudyWAL

@testable import UnderstudyConnection

@Suite("The positions that a server is told on one connection")
struct ToldPositionsTests {
    private var told = ReportedPositions()

    private func status(_ written: UInt64, _ flushed: UInt64) -> StandbyStatus {
        StandbyStatus(written: LSN(rawValue: written), flushed: LSN(rawValue: flushed))
    }

    @Test("may stay and grow")
    mutating func growing() {
        for (written, flushed) in [(0, 0), (10, 0), (10, 10), (10, 10), (30, 20)] as [(UInt64, UInt64)] {
            #expect(told.note(status(written, flushed)) == nil)
        }
    }

    @Test(
        "are refused where one goes back, or nothing is said of it any more", arguments: [(20, 19), (19, 10), (30, 0)])
    mutating func falling(_ written: UInt64, _ flushed: UInt64) {
        #expect(told.note(status(20, 20)) == nil)
        let before = told
        #expect(told.note(status(written, flushed)) != nil)
        #expect(told == before)
    }

    @Test("may be withdrawn where that is meant, and are not lower afterwards")
    mutating func withdrawn() {
        #expect(told.note(status(20, 20)) == nil)
        #expect(told.note(status(30, 19), withdrawing: true) != nil)
        #expect(told.note(status(30, 0), withdrawing: true) == nil)
        #expect(told.note(status(30, 19)) != nil)
        #expect(told.note(status(30, 20)) == nil)
    }

    @Test("are refused where more is flushed than written")
    mutating func flushedBeyondWritten() {
        #expect(told.note(status(19, 20)) == "the flushed position 0/14 would be beyond the written one, 0/13")
    }

    @Test("of what is written begin anew with each stream; of what is flushed, they do not")
    mutating func streams() {
        #expect(told.note(status(30, 20)) == nil)
        told.beginStream()
        #expect(told.note(status(25, 19)) == "the flushed position would go back from 0/14 to 0/13")
        #expect(told.note(status(25, 20)) == nil)
    }
}
