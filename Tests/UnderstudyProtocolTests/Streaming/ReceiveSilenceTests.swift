import Testing
import UnderstudyWAL

@testable import UnderstudyProtocol

@Suite("The rules of receiving WAL: a server that is silent")
struct SilenceTests {
    private var machine = Stream.machine(silenceLimit: .seconds(60))

    @Test("is asked for a sign of life after half of the limit, and given up at its end")
    mutating func stalled() throws {
        #expect(try machine.handle(.keepalive(replyRequested: false), now: .seconds(10)) == [])
        #expect(machine.nextTick(now: .seconds(10)) == .seconds(30))
        #expect(try machine.handle(.drained, now: .seconds(39)) == [])
        #expect(try machine.handle(.drained, now: .seconds(40)) == [Stream.status(0, nil, asking: true)])
        // Once is enough.
        #expect(try machine.handle(.drained, now: .seconds(41)) == [])
        #expect(machine.nextTick(now: .seconds(41)) == .seconds(29))
        let error = #expect(throws: StreamError.self) { try machine.handle(.drained, now: .seconds(70)) }
        #expect(error?.code == .stalled)
        #expect(error?.message == "server has sent nothing for 60 s")
    }

    @Test("is trusted again when anything comes")
    mutating func answered() throws {
        #expect(try machine.handle(.drained, now: .seconds(30)) == [Stream.status(0, nil, asking: true)])
        #expect(try machine.handle(.keepalive(replyRequested: false), now: .seconds(31)) == [])
        #expect(try machine.handle(.drained, now: .seconds(60)) == [])
        #expect(try machine.handle(.drained, now: .seconds(61)) == [Stream.status(0, nil, asking: true)])
    }

    @Test("has its full time to answer, however late it was asked")
    mutating func lateQuestion() throws {
        #expect(try machine.handle(.drained, now: .seconds(600)) == [Stream.status(0, nil, asking: true)])
        #expect(try machine.handle(.drained, now: .seconds(629)) == [])
        #expect(throws: StreamError.self) { try machine.handle(.drained, now: .seconds(630)) }
    }

    @Test("is not to blame while the disk keeps us from listening")
    mutating func slowDisk() throws {
        for second in 1...600 { #expect(try machine.handle(.tick, now: .seconds(second)) == []) }
        #expect(try machine.handle(.drained, now: .seconds(620)) == [])
        #expect(try machine.handle(.drained, now: .seconds(630)) == [Stream.status(0, nil, asking: true)])
    }

    @Test("is waited for without a limit")
    func unlimited() throws {
        var machine = Stream.machine()
        #expect(machine.nextTick(now: .zero) == nil)
        #expect(try machine.handle(.drained, now: .seconds(1_000_000)) == [])
    }
}

@Suite("The rules of receiving WAL: a server that hears nothing while the disk is slow")
struct QuietLimitTests {
    @Test("gets a status each time that the limit has passed, even without an interval")
    func ticks() throws {
        var machine = Stream.machine(quietLimit: .seconds(10))
        #expect(try machine.handle(.tick, now: .seconds(3)) == [Stream.status(0, nil)])
        #expect(try machine.handle(.tick, now: .seconds(12)) == [])
        #expect(try machine.handle(.tick, now: .seconds(13)) == [Stream.status(0, nil)])
        #expect(try machine.handle(.tick, now: .seconds(22)) == [])
        // A status for another reason will do.
        #expect(try machine.handle(.keepalive(replyRequested: true), now: .seconds(22)) == [Stream.status(0, nil)])
        #expect(try machine.handle(.tick, now: .seconds(31)) == [])
        #expect(try machine.handle(.tick, now: .seconds(32)) == [Stream.status(0, nil)])
    }

    @Test("gets none on that account while we listen")
    func listening() throws {
        var machine = Stream.machine(quietLimit: .seconds(10))
        #expect(try machine.handle(.drained, now: .seconds(60)) == [])
        #expect(try machine.handle(.keepalive(replyRequested: false), now: .seconds(120)) == [])
        #expect(machine.nextTick(now: .seconds(120)) == nil)
    }

    @Test("gets one, not two, where the interval has passed as well")
    func withInterval() throws {
        var machine = Stream.machine(statusInterval: .seconds(60), quietLimit: .seconds(10))
        #expect(try machine.handle(.tick, now: .zero) == [Stream.status(0, nil)])
        #expect(try machine.handle(.tick, now: .seconds(10)) == [Stream.status(0, nil)])
        #expect(try machine.handle(.tick, now: .seconds(90)) == [Stream.status(0, nil)])
    }

    @Test("gets none without a limit")
    func unlimited() throws {
        var machine = Stream.machine()
        #expect(try machine.handle(.tick, now: .seconds(1_000_000)) == [])
    }
}
