import Foundation
import Glibc
import Logging
import Metrics
import MetricsTestKit
import ServiceLifecycle
import Testing
import Understudy
import UnderstudyMemoryDestinationExample
import UnderstudyTestSupport

/// The archiver in a program, as its documentation shows it.
@Suite("The archiver in a program")
struct ArchiverLibraryTests {
    /// WAL of a little more than so many segments.
    private func write(segments: Int, on cluster: Cluster) throws {
        for _ in 0..<segments {
            try cluster.sql("CREATE TABLE IF NOT EXISTS t (a int); INSERT INTO t VALUES (1); SELECT pg_switch_wal()")
        }
    }

    /// Waits for the first connection.
    private func connection(_ events: AsyncStream<WALArchiver.Event>) async {
        for await event in events { if case .connected = event { return } }
    }

    @Test(
        "sends WAL wherever the program likes, tells how far it is, and ends in order",
        arguments: PostgresInstallation.outermost)
    func memory(installation: PostgresInstallation) async throws {
        let cluster = try Cluster(installation)
        let memory = MemoryDestination()
        let archiver = WALArchiver(
            source: ConnectionString(cluster.connectionString()), slot: .createIfMissing("archive"), destination: memory
        )
        let events = archiver.events()
        let running = Task { try await archiver.run() }
        var finished: [WALSegment] = []
        for await event in events {
            if case .connected = event { try write(segments: 3, on: cluster) }
            guard case .segmentFinished(let segment) = event else { continue }
            finished.append(segment)
            let content = try #require(memory.content(of: segment))
            #expect(content == (try FileTree.bytes("\(cluster.directory)/pg_wal/\(segment.name)")))
            if finished.count == 3 { break }
        }
        let end = try #require(LSN(cluster.sql("SELECT pg_current_wal_flush_lsn()")))
        try eventually("the acknowledgement of \(end)") { archiver.status.acknowledged >= end }
        let status = archiver.status
        #expect(status.phase == .streaming)
        #expect(status.timeline == 1)
        #expect(status.synced >= status.acknowledged && status.received >= status.synced)
        #expect(status.segmentsFinished == 3)
        #expect(status.lastError == nil)
        running.cancel()
        try await running.value
        #expect(archiver.status.phase == .stopped)
        let again = await #expect(throws: UnderstudyError.self) { try await archiver.run() }
        #expect(again?.message == "this archiver has run already")
        #expect(
            try cluster.holds("SELECT restart_lsn >= '\(end)' FROM pg_replication_slots WHERE slot_name = 'archive'"))
    }

    @Test("a slot that an archiver has made goes with it, if nothing was streamed")
    func unusedSlot() async throws {
        /// Cannot be opened.
        struct Broken: WALDestination {
            func open(_ origin: WALOrigin) throws(WALDestinationError) -> WALHoldings {
                throw WALDestinationError("the store is broken")
            }
            func begin(_ segment: WALSegment) {}
            func write(_ bytes: RawSpan, at offset: Int) {}
            func sync() -> LSN? { nil }
            func finish(_ segment: WALSegment) {}
            func suspend() {}
            func putHistory(_ timeline: TimelineID, _ content: [UInt8]) {}
        }
        let cluster = try Cluster(.newest)
        try cluster.sql("SELECT pg_create_physical_replication_slot('other')")
        for slot in ["archive", "other"] {
            let archiver = WALArchiver(
                source: ConnectionString(cluster.connectionString()), slot: .createIfMissing(slot),
                destination: Broken()
            )
            let error = await #expect(throws: UnderstudyError.self) { try await archiver.run() }
            #expect(error?.message == "the store is broken")
        }
        #expect(try cluster.sql("SELECT string_agg(slot_name, ' ') FROM pg_replication_slots") == "other")
    }

    @Test("acknowledges what a destination has stored later, while the server is quiet")
    func late() async throws {
        let cluster = try Cluster(.newest)
        let destination = LateDestination()
        var options = WALArchiver.Options()
        // Nothing is sent but for a reason.
        options.statusInterval = nil
        let archiver = WALArchiver(
            source: ConnectionString(cluster.connectionString()), slot: .createIfMissing("archive"),
            destination: destination, options: options)
        let events = archiver.events()
        let running = Task { try await archiver.run() }
        await connection(events)
        try write(segments: 1, on: cluster)
        let end = try #require(LSN(cluster.sql("SELECT pg_current_wal_flush_lsn()")))
        try eventually("a sync of all WAL") { destination.settled.map { $0 >= end } ?? false }
        #expect(archiver.status.acknowledged < end)
        #expect(try cluster.holds("SELECT restart_lsn < '\(end)' FROM pg_replication_slots"))
        // WAL of the server's own, which would lead to a sync, may come at the same time.
        try eventually("a sync without new WAL") {
            destination.store(upTo: end)
            return destination.quietSyncs > 0
        }
        try eventually("the acknowledgement of \(end)") {
            try cluster.holds("SELECT restart_lsn >= '\(end)' FROM pg_replication_slots")
        }
        #expect(archiver.status.acknowledged == end && archiver.status.synced == end)
        running.cancel()
        try await running.value
    }

    @Test("metrics tell archivers apart, have no position before it is known, and count no end in order")
    func metrics() async throws {
        let cluster = try Cluster(.newest)
        let backend = TestMetrics()
        var options = WALArchiver.Options()
        options.name = "second"
        let archivers = [
            WALArchiver(
                source: ConnectionString(cluster.connectionString()), slot: .createIfMissing("first"),
                destination: MemoryDestination()),
            WALArchiver(
                source: ConnectionString(cluster.connectionString()), destination: MemoryDestination(), options: options
            ),
        ]
        let events = archivers.map { $0.events() }
        let running = Task {
            try await withMetricsFactory(backend) {
                try await withThrowingTaskGroup { group in
                    for archiver in archivers { group.addTask { try await archiver.run() } }
                    try await group.waitForAll()
                }
            }
        }
        let names = ["first", "second"]
        func total(_ name: String, _ label: String) -> Int64 {
            backend.counterTotal(label: "understudy_wal_\(label)_total", dimensions: [("archiver", name)])
        }
        for events in events { await connection(events) }
        try write(segments: 2, on: cluster)
        try eventually("the segments") { names.allSatisfy { total($0, "segments_finished") >= 2 } }
        try cluster.restart()
        try eventually("the end of the connections") { names.allSatisfy { total($0, "disconnections") == 1 } }
        try eventually("new streams") { archivers.allSatisfy { $0.status.connectedSince != nil } }
        running.cancel()
        try await running.value
        for name in names {
            #expect(total(name, "disconnections") == 1)
            let connected = try backend.expectGauge("understudy_wal_connected", [("archiver", name)])
            #expect(connected.values == [0, 1, 0, 1, 0])
        }
        let positions = backend.recorders.filter { $0.label.hasSuffix("_lsn") }
        #expect(positions.count >= 3 * names.count)
        for gauge in positions { #expect(!gauge.values.contains(0), "\(gauge.label)") }
    }

    @Test("the article's program archives compressed segments until SIGTERM, and acknowledges all before it ends")
    func example() throws {
        let cluster = try Cluster(.newest)
        let archive = try TestDirectory.make("archive")
        let program = try Program(
            UnderstudyProgram.other("UnderstudyArchiverExample"), [cluster.connectionString(), archive],
            environment: UnderstudyProgram.environment)
        try eventually("the slot: \(program.errorOutput)") {
            try cluster.holds("SELECT count(*) = 1 FROM pg_replication_slots WHERE active")
        }
        try write(segments: 2, on: cluster)
        let end = try cluster.sql("SELECT pg_current_wal_flush_lsn()")
        try eventually("two segments: \(program.errorOutput)") {
            FileTree.names(archive).filter { $0.hasSuffix(".zst") }.count >= 2
        }
        program.send(SIGTERM)
        let result = program.wait()
        #expect(result.status == 0, "\(result)")
        for name in FileTree.names(archive) where name.hasSuffix(".zst") {
            let content = try Program.filter("zstd -dc", "\(archive)/\(name)")
            #expect(content == (try FileTree.bytes("\(cluster.directory)/pg_wal/\(name.dropLast(4))")))
            #expect(result.output.contains("finished \(name.dropLast(4)), "))
        }
        #expect(try cluster.holds("SELECT restart_lsn >= '\(end)' FROM pg_replication_slots"))
    }

    @Test(
        "the articles show programs that are compiled",
        arguments: [
            ("Understudy/Understudy.docc/EmbedAWALArchiver", "Archiver/Archiver"),
            ("Understudy/Understudy.docc/EmbedAWALArchiver", "Fleet/Fleet"),
            ("Understudy/Understudy.docc/EmbedAWALArchiver", "MemoryDestination/MemoryDestination"),
            ("UnderstudyTestKit/UnderstudyTestKit.docc/UnderstudyTestKit", "CheckDestination/CheckDestination"),
        ])
    func article(page: String, file: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let article = try FileTree.text(root.appending(path: "Sources/\(page).md").path)
        let source = try FileTree.text(root.appending(path: "Examples/\(file).swift").path)
        #expect(article.contains("```swift\n\(source)```"))
    }

    @Test("a stream hands out messages, and acknowledges what the program says")
    func stream() async throws {
        let cluster = try Cluster(.newest)
        let client = ReplicationClient(source: ConnectionString(cluster.connectionString()))
        try await client.createSlot("s1")
        let system = try await client.identifySystem()
        let slot = try #require(try await client.slot("s1"))
        #expect(slot.kind == "physical")
        let size = UInt64(system.segmentSize)
        let start = LSN(rawValue: try #require(slot.restartLSN).rawValue / size * size)
        let stream = try await WALStream.connect(
            source: ConnectionString(cluster.connectionString()),
            from: WALPosition(timeline: system.timeline, lsn: start), slot: "s1")
        try write(segments: 2, on: cluster)
        var content: [UInt8] = []
        for try await message in stream {
            guard case .data(let position, let bytes, let serverEnd) = message else { continue }
            #expect(position.rawValue == start.rawValue + UInt64(content.count))
            content += bytes
            #expect(serverEnd.rawValue >= start.rawValue + UInt64(content.count))
            if content.count >= 2 * Int(size) { break }
        }
        let end = LSN(rawValue: start.rawValue + UInt64(content.count))
        stream.acknowledge(end)
        try eventually("the slot to move to \(end)") {
            try cluster.holds("SELECT restart_lsn >= '\(end)' FROM pg_replication_slots")
        }
        let name = try cluster.sql("SELECT pg_walfile_name('\(start)'::pg_lsn + 1)")
        #expect(
            Array(content.prefix(Int(size))) == (try FileTree.bytes("\(cluster.directory)/pg_wal/\(name)")))
    }

    @Test("a slot that is to be created must be new, and must outlive the connection")
    func slots() async throws {
        let cluster = try Cluster(.newest)
        func run(_ slot: ReplicationSlot) async throws {
            var options = WALArchiver.Options(endLSN: LSN(rawValue: 1))
            options.retriesFirstConnection = false
            let archiver = WALArchiver(
                source: ConnectionString(cluster.connectionString()), slot: slot, destination: MemoryDestination(),
                options: options)
            try await archiver.run()
        }
        try await run(.create("s1"))
        #expect(try cluster.holds("SELECT restart_lsn IS NOT NULL FROM pg_replication_slots WHERE slot_name = 's1'"))
        let twice = await #expect(throws: UnderstudyError.self) { try await run(.create("s1")) }
        #expect(twice?.message == "replication slot \"s1\" already exists")
        try await run(.createIfMissing("s1"))
        let temporary = await #expect(throws: UnderstudyError.self) { try await run(.temporary) }
        #expect(temporary?.code == .options)
    }

    @Test("commands are plain functions, and say what is wrong")
    func commands() async throws {
        let cluster = try Cluster(.newest)
        let client = ReplicationClient(source: ConnectionString(cluster.connectionString()))
        #expect(try await client.slot("s1") == nil)
        try await client.createSlot("s1", reserveWAL: false)
        let unused = try #require(try await client.slot("s1"))
        #expect(unused.kind == "physical" && unused.restartLSN == nil && unused.restartTimeline == nil)
        try await client.createSlot("s1", ifNotExists: true)
        let twice = await #expect(throws: UnderstudyError.self) { try await client.createSlot("s1") }
        #expect(twice?.code == .slot)
        try await client.dropSlot("s1")
        let missing = await #expect(throws: UnderstudyError.self) { try await client.dropSlot("s1") }
        #expect(missing?.sqlState == "42704")
        let history = await #expect(throws: UnderstudyError.self) { try await client.timelineHistory(7) }
        #expect(history?.message.contains("00000007.history") == true)
    }
}
