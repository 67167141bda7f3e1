import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("What a service manager is told")
struct ServiceReportTests {
    private func status(
        _ phase: WALArchiver.Status.Phase, received: String = "0/3000000", synced: String = "0/3000000"
    ) -> WALArchiver.Status {
        var status = WALArchiver.Status()
        status.phase = phase
        (status.received, status.synced) = (LSN(received)!, LSN(synced)!)
        status.server = status.received
        return status
    }

    @Test("ready when the server has accepted the stream, and a line when the phase or much time has passed")
    func lines() {
        var report = ServiceReport(watchdog: nil)
        #expect(report.update(status(.stopped), pulse: 0, at: .zero) == nil)
        #expect(report.update(status(.connecting), pulse: 0, at: .zero) == "STATUS=connecting: received 0/3000000")
        let line = "STATUS=streaming: received 0/3000000, lag 0 bytes"
        #expect(report.update(status(.streaming), pulse: 0, at: .seconds(1)) == line)
        #expect(report.update(status(.streaming), pulse: 1, at: .seconds(2)) == "READY=1")
        #expect(!report.needsPulse)
        let later = status(.streaming, received: "0/4000000")
        #expect(report.update(later, pulse: 0, at: .seconds(10)) == nil)
        #expect(
            report.update(later, pulse: 0, at: .seconds(11)) == "STATUS=streaming: received 0/4000000, lag 0 bytes")
        #expect(report.update(later, pulse: 0, at: .seconds(30)) == nil)
    }

    @Test("ready, too, when it waits to connect again, which it says with the reason")
    func waiting() {
        var report = ServiceReport(watchdog: nil)
        var waiting = status(.waiting)
        waiting.lastError = UnderstudyError(.connection, "no server\n\tthere \u{1}")
        #expect(
            report.update(waiting, pulse: 0, at: .zero)
                == "READY=1\nSTATUS=waiting: received 0/3000000: no server there \\x01")
    }

    @Test("a sign of life comes at half of the time, where both threads show one")
    func watchdog() {
        var report = ServiceReport(watchdog: .seconds(4))
        _ = report.update(status(.streaming), pulse: 1, at: .zero)
        func alive(_ status: WALArchiver.Status, _ pulse: UInt64, _ time: Int) -> Bool {
            report.update(status, pulse: pulse, at: .seconds(time))?.contains("WATCHDOG=1") ?? false
        }
        #expect(!alive(status(.streaming), 2, 1))
        #expect(alive(status(.streaming), 3, 2))
        // The network thread hangs.
        #expect(!alive(status(.streaming), 3, 5))
        #expect(alive(status(.streaming), 4, 6))
        // The writer hangs: what was received is not synced.
        #expect(!alive(status(.streaming, received: "0/3100000"), 5, 9))
        #expect(!alive(status(.streaming, received: "0/3200000"), 6, 12))
        // It goes on, though more has come.
        #expect(alive(status(.streaming, received: "0/3200000", synced: "0/3100000"), 7, 13))
        // No room is no hang, nor are pauses and attempts to connect.
        #expect(alive(status(.stalled, received: "0/3200000", synced: "0/3100000"), 8, 16))
        #expect(!alive(status(.stalled, received: "0/3200000", synced: "0/3100000"), 8, 19))
        #expect(alive(status(.waiting), 8, 20))
        #expect(alive(status(.connecting), 8, 23))
    }

    @Test("a run that nobody saw stream is ready at its end, if it ended well")
    func end() {
        var report = ServiceReport(watchdog: nil)
        #expect(report.end(isDone: false) == "STOPPING=1\nSTATUS=stopping")
        #expect(report.end(isDone: true) == "READY=1\nSTOPPING=1\nSTATUS=stopping")
    }

    @Test("a watchdog is for the process that it names")
    func environment() {
        let variables = ["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "12"]
        #expect(ServiceNotifier.watchdog({ variables[$0] }, process: 12) == .seconds(30))
        #expect(ServiceNotifier.watchdog({ variables[$0] }, process: 13) == nil)
        #expect(ServiceNotifier.watchdog({ $0 == "WATCHDOG_USEC" ? "5" : nil }, process: 13) == .microseconds(5))
        for flaw in ["", "0", "-1", "x"] {
            #expect(ServiceNotifier.watchdog({ $0 == "WATCHDOG_USEC" ? flaw : nil }) == nil)
        }
    }
}
