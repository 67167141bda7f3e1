import Glibc
import Logging
import Testing
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyTestSupport

@testable import UnderstudyWALArchive

@Suite("A group of archivers")
struct WALArchiverGroupTests {
    /// Nobody listens there. Those that try again do so until they are ended.
    private func archiver(_ name: String, triesAgain: Bool = true) throws -> WALArchiver {
        var options = WALArchiver.Options(name: name, reconnects: triesAgain)
        options.retriesFirstConnection = triesAgain
        return WALArchiver(
            source: "host=127.0.0.1 port=\(try Port.free())", destination: .directory("/nonexistent"), options: options)
    }

    /// The ends that it has told, sorted.
    private final class Ends: Sendable {
        private let ends = Monitor<[String]>([])

        func note(_ name: String, _ error: UnderstudyError?) {
            ends.update { $0.append("\(name) \(error == nil ? "in order" : "failed")") }
        }

        func wait(for count: Int) async throws -> [String] {
            try await soon("\(count) ends") { self.ends.read { $0.count } >= count }
            return ends.read { $0.sorted() }
        }
    }

    @Test("runs those that it has and those that come; the end of one ends no other; all end together")
    func life() async throws {
        let ends = Ends()
        let group = WALArchiverGroup { ends.note($0, $1) }
        try group.add(try archiver("lasting"))
        try group.add(try archiver("failing", triesAgain: false))
        #expect(group.members.map(\.name) == ["lasting", "failing"])
        #expect(group.members.allSatisfy { $0.status.phase == .stopped && !$0.hasEnded })
        let running = Task { try await group.run() }
        #expect(try await ends.wait(for: 1) == ["failing failed"])
        try group.add(try archiver("late"))
        try await soon("the late one") {
            group.members.filter { $0.status.phase == .waiting }.map(\.name) == ["lasting", "late"]
        }
        let failed = try #require(group.members.first { $0.name == "failing" })
        #expect(failed.hasEnded && failed.error?.code == .connection)
        running.cancel()
        try await running.value
        #expect(try await ends.wait(for: 3) == ["failing failed", "lasting in order", "late in order"])
        #expect(group.members.count == 3 && group.members.allSatisfy { $0.hasEnded && $0.status.phase == .stopped })
        #expect(throws: UnderstudyError.self) { try group.add(try archiver("too late")) }
        await #expect(throws: UnderstudyError.self) { try await group.run() }
    }

    @Test("takes out one, and waits for its end; its name is free then")
    func remove() async throws {
        let ends = Ends()
        let group = WALArchiverGroup { ends.note($0, $1) }
        try group.add(try archiver("never"))
        try await group.remove("never")
        try group.add(try archiver("a"))
        try group.add(try archiver("b"))
        let running = Task { try await group.run() }
        try await soon("both") { group.members.allSatisfy { $0.status.phase == .waiting } }
        try await group.remove("a")
        #expect(try await ends.wait(for: 1) == ["a in order"])
        #expect(group.members.map(\.name) == ["b"])
        try group.add(try archiver("a", triesAgain: false))
        #expect(try await ends.wait(for: 2) == ["a failed", "a in order"])
        // It says what it had ended with, and is gone.
        let error = await #expect(throws: UnderstudyError.self) { try await group.remove("a") }
        #expect(error?.code == .connection)
        #expect(group.members.map(\.name) == ["b"])
        let unknown = await #expect(throws: UnderstudyError.self) { try await group.remove("a") }
        #expect(unknown?.message == "group has no archiver \"a\"")
        running.cancel()
        try await running.value
    }

    @Test("logs at once which archiver has ended, and why")
    func failure() async throws {
        let lines = Monitor<[String]>([])
        let group = WALArchiverGroup()
        let archiver = WALArchiver(
            source: "host=127.0.0.1 port=\(try Port.free())", destination: .directory("/nonexistent"),
            options: .init(name: "lonely", reconnects: false),
            logger: Logger(label: "group") { _ in Lines(texts: lines) })
        let events = archiver.events()
        try group.add(archiver)
        let running = Task { try await group.run() }
        var last: WALArchiver.Event?
        for await event in events { last = event }
        try await soon("a line") {
            lines.read { $0.contains { $0.hasPrefix("failed lonely: archiver has ended: ") } }
        }
        let error = try #require(group.members.first?.error)
        #expect(last == .failed(error))
        running.cancel()
        try await running.value
    }

    @Test("is named as the server is told")
    func namedByEnvironment() async {
        // In a process of its own, which has another environment.
        await #expect(processExitsWith: .success) {
            unsafe setenv("PGAPPNAME", "envname", 1)
            func name(_ source: ConnectionString) -> String {
                WALArchiver(source: source, destination: .directory("/nonexistent")).name
            }
            try #require(name("host=a") == "envname")
            try #require(name("host=a fallback_application_name=other") == "envname")
            try #require(name("host=a application_name=given") == "given")
        }
    }

    @Test("refuses a second archiver of the same name, by which metrics are told apart")
    func names() throws {
        let group = WALArchiverGroup()
        func make(_ source: ConnectionString, _ slot: ReplicationSlot = .none, name: String? = nil) -> WALArchiver {
            WALArchiver(
                source: source, slot: slot, destination: .directory("/nonexistent"), options: .init(name: name))
        }
        try group.add(make("host=a", .existing("s")))
        try group.add(make("host=a application_name=app"))
        try group.add(make("host=a"))
        try group.add(make("host=a", .existing("s"), name: "n"))
        #expect(group.members.map(\.name) == ["s", "app", "understudy", "n"])
        let error = #expect(throws: UnderstudyError.self) { try group.add(make("host=b application_name=s")) }
        #expect(error?.message == "group has an archiver \"s\" already")
        #expect(group.members.count == 4)
    }
}

/// Keeps the event, archiver and words of each log line.
private struct Lines: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    let texts: Monitor<[String]>

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let facts = metadata.merging(event.metadata ?? [:]) { $1 }
        func text(_ key: String) -> String { facts[key]?.description ?? "-" }
        texts.change { $0.append("\(text("event")) \(text("archiver")): \(event.message)") }
    }
}

/// Waits for a condition, and leaves the thread to the tasks that bring it about.
private func soon(_ what: String, _ condition: () -> Bool) async throws {
    for _ in 0..<6000 {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw SupportError("waited in vain: \(what)")
}
