import Logging
import Testing
import UnderstudyCore
import UnderstudyTestSupport

@testable import UnderstudyConnection

@Suite("Messages of which there may be any number")
struct SomeOfManyTests {
    @Test(
        "are shown at first, and counted from then on",
        arguments: [
            (0, "", []), (1, "1", ["1"]), (5, "1, 2, 3, 4, 5", ["1", "2", "3", "4", "5"]),
            (7, "1, 2, 3, 4, 5 and 2 more", ["1", "2", "3", "4", "5", "2 more files"]),
        ] as [(Int, String, [String])])
    func texts(_ count: Int, _ list: String, _ lines: [String]) {
        let some = TruncatedList((0..<count).map { "\($0 + 1)" })
        #expect(some.list == list)
        #expect(some.lines("files") == lines)
    }

    @Test("of a server are bounded, and their number is said")
    func server() {
        let log = Locked<[String]>([])
        struct Handler: LogHandler {
            var metadata: Logger.Metadata = [:]
            var logLevel = Logger.Level.info
            let log: Locked<[String]>
            subscript(metadataKey key: String) -> Logger.Metadata.Value? {
                get { metadata[key] }
                set { metadata[key] = newValue }
            }
            func log(event: LogEvent) { log.withLock { $0.append("\(event.message)") } }
        }
        let pass = Logger(label: "test") { _ in Handler(log: log) }.passingOn()
        // Names are checked, and a flaw is said once: not by the server on each connection again.
        pass(ServerMessage(severity: "NOTICE", sqlState: "42622", message: "identifier will be truncated"))
        for _ in 1...20_000 { pass(ServerMessage(severity: "WARNING", message: "bad page")) }
        log.withLock { lines in
            #expect(lines.count == 203)
            #expect(lines.prefix(200).allSatisfy { $0 == "WARNING:  bad page" })
            #expect(lines.last == "server has sent 10000 messages by now, of which the first 200 are shown")
        }
    }
}
