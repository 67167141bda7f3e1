import Testing
import UnderstudyBackupFormat
import UnderstudyConnection
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

/// Files that are others than they were when they were listed.
@Suite("What a unit of files becomes if they change")
struct UnitTransferTests {
    private func part(_ path: String, size: UInt64) throws -> BackupUnit.Part {
        .init(entry: TarEntry(path: try MemberPath(path), kind: .file, mode: 0o600, size: size), path: path)
    }

    private func connect(_ cluster: Cluster) throws -> Session {
        try Session.connect(
            ConnectionParameters(reading: ConnectionString(cluster.connectionString())),
            kind: .ordinary(database: "postgres"), applicationName: "test", interrupt: Interrupt())
    }

    @Test("what is gone is left out, what is shorter ends in zeros, and what is longer ends where it was listed")
    func changed() throws {
        let cluster = try Cluster(.newest)
        try TestDirectory.write(String(repeating: "x", count: 100_000), to: "\(cluster.directory)/short")
        try TestDirectory.write(String(repeating: "y", count: 100_000), to: "\(cluster.directory)/long")
        try TestDirectory.write("", to: "\(cluster.directory)/empty")
        let session = try connect(cluster)
        let sql = BackupSQL(session.serverVersion)
        _ = try session.run(sql.settings)
        let unit = BackupUnit(
            archive: 0,
            parts: [
                try part("gone", size: 200_000), try part("short", size: 200_000), try part("nowhere/gone", size: 1),
                try part("empty", size: 0), try part("long", size: 70_000), try part("empty", size: 3),
                try part("gone too", size: 0),
            ])
        var feeder = KeepingFeeder()
        let meter = ProgressMeter { _ in }
        var transfer = UnitTransfer<KeepingFeeder>(unit, meter: meter, pages: nil)
        try transfer.run(session, sql, into: &feeder, pacer: nil)
        let isComplete = transfer.isComplete
        #expect(isComplete)
        let files = feeder.files
        #expect(files.map(\.name) == ["short", "empty", "long", "empty", "gone too"])
        #expect(
            files[0].content == Array(repeating: UInt8(ascii: "x"), count: 100_000)
                + Array(repeating: 0, count: 100_000))
        #expect(files[1].content.isEmpty && files[4].content.isEmpty)
        #expect(files[2].content == Array(repeating: UInt8(ascii: "y"), count: 70_000))
        #expect(files[3].content == [0, 0, 0])
        #expect(meter.bytesDone == 200_000 + 200_000 + 1 + 70_000 + 3)
    }

    // MARK: - Comparing

    private func file(_ text: Character, _ count: Int) -> String { String(repeating: text, count: count) }

    @Test("only blocks that differ from those here are sent", arguments: [nil, 100_000] as [Int?])
    func compared(_ version: Int?) throws {
        let cluster = try Cluster(.newest), here = try TestDirectory.make("here")
        func place(_ name: String, _ there: String?, _ here: String?, _ directory: String) throws {
            if let there { try TestDirectory.write(there, to: "\(cluster.directory)/\(name)") }
            if let here { try TestDirectory.write(here, to: "\(directory)/\(name)") }
        }
        let x = file("x", 65536)
        try place("same", x + x + "end", x + x + "end", here)
        try place("flipped", x + x + x, x + "z" + String(x.dropFirst()) + x, here)
        try place("tail", x + "new", x + "old", here)
        try place("longer here", x, x + x, here)
        try place("shorter here", x + x + x, x + String(x.dropFirst()), here)
        try place("shrunk", x, x + x, here)
        try place("removed", nil, x, here)
        try place("new", x, nil, here)
        try place("empty", "", x, here)
        try place("large", file("y", 17 << 20), file("y", 17 << 20), here)
        let session = try connect(cluster)
        let sql = BackupSQL(version.map { ServerVersion(number: $0) } ?? session.serverVersion)
        _ = try session.run(BackupSQL(session.serverVersion).settings)
        let sizes: [(String, UInt64)] = [
            ("same", 131_075), ("flipped", 196_608), ("tail", 65539), ("longer here", 65536),
            ("shorter here", 196_608), ("shrunk", 131_072), ("removed", 65536), ("new", 65536), ("empty", 0),
            ("large", 17 << 20),
        ]
        let unit = BackupUnit(archive: 0, parts: try sizes.map { try part($0.0, size: $0.1) })
        var feeder = KeepingFeeder(here: try ConfinedDirectory(path: here))
        let meter = ProgressMeter { _ in }
        var transfer = UnitTransfer<KeepingFeeder>(unit, meter: meter, pages: nil)
        var queries = 0
        while !transfer.isComplete {
            try transfer.run(session, sql, into: &feeder, pacer: nil)
            queries += 1
        }
        // 16 MiB are compared at once.
        #expect(queries == 2)
        let zeros = [UInt8](repeating: 0, count: 65536), xs = Array(x.utf8)
        let expected: [(String, [UInt8], Int)] = [
            ("same", xs + xs + Array("end".utf8), 0), ("flipped", xs + xs + xs, 65536),
            ("tail", xs + Array("new".utf8), 3),
            ("longer here", xs, 0), ("shorter here", xs + xs + xs, 2 * 65536), ("shrunk", xs + zeros, 65536),
            ("new", xs, 65536), ("empty", [], 0), ("large", Array(file("y", 17 << 20).utf8), 0),
        ]
        #expect(feeder.files.map(\.name) == expected.map(\.0))
        for (got, (name, content, sent)) in zip(feeder.files, expected) {
            #expect(same(got.content, content) && got.sent == sent, "\(name): \(got.sent)")
        }
        #expect(feeder.leftOut == ["removed"])
        #expect(meter.bytesDone == sizes.reduce(0) { $0 + $1.1 })
        let kept = expected.reduce(0) { $0 + $1.1.count - $1.2 }
        #expect(meter.bytesPresent == UInt64(kept))
    }

    @Test("a file that changes here after it was compared is noticed")
    func changing() throws {
        let cluster = try Cluster(.newest), here = try TestDirectory.make("here")
        for directory in [cluster.directory, here] {
            for name in ["one", "two"] { try TestDirectory.write(file("x", 100_000), to: "\(directory)/\(name)") }
        }
        let session = try connect(cluster), sql = BackupSQL(session.serverVersion)
        _ = try session.run(sql.settings)
        var feeder = KeepingFeeder(here: try ConfinedDirectory(path: here))
        var opened: [String] = []
        feeder.onOpen = { name in
            opened.append(name)
            // The second time, for its bytes.
            if opened == ["one", "two", "one"] {
                try? TestDirectory.write(String(repeating: "y", count: 100_000), to: "\(here)/one")
            }
        }
        var transfer = UnitTransfer<KeepingFeeder>(
            BackupUnit(archive: 0, parts: [try part("one", size: 100_000), try part("two", size: 100_000)]),
            meter: ProgressMeter { _ in }, pages: nil)
        var failure: UnderstudyError?
        do throws(UnderstudyError) { try transfer.run(session, sql, into: &feeder, pacer: nil) } catch {
            failure = error
        }
        #expect(
            failure?.code == .target && failure?.message.contains("/one\" has changed") == true, "\(failure as Any)")
    }

    @Test("where the connection breaks, the rest is compared over another one")
    func broken() throws {
        let cluster = try Cluster(.newest), here = try TestDirectory.make("here")
        // A block in four is the same.
        let count = 20 << 20, there = file("x", count)
        var old: [UInt8] = Array(there.utf8)
        for block in 0..<count / 65536 where block % 4 != 1 { old[block * 65536] = UInt8(ascii: "y") }
        try TestDirectory.write(there, to: "\(cluster.directory)/large")
        try TestDirectory.write(String(decoding: old, as: UTF8.self), to: "\(here)/large")
        var feeder = KeepingFeeder(here: try ConfinedDirectory(path: here)), isBroken = false
        feeder.onContent = {
            guard !isBroken else { return }
            isBroken = true
            _ = try? cluster.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'")
        }
        let meter = ProgressMeter { _ in }
        var transfer = UnitTransfer<KeepingFeeder>(
            BackupUnit(archive: 0, parts: [try part("large", size: UInt64(count))]), meter: meter, pages: nil)
        var session = try connect(cluster), losses = 0
        let sql = BackupSQL(session.serverVersion)
        _ = try session.run(sql.settings)
        while !transfer.isComplete {
            do throws(UnderstudyError) { try transfer.run(session, sql, into: &feeder, pacer: nil) } catch {
                guard error.costsPiece else { throw error }
                losses += 1
                session = try connect(cluster)
                _ = try session.run(sql.settings)
            }
        }
        #expect(losses == 1)
        let got = feeder.files[0]
        #expect(feeder.files.count == 1 && same(got.content, Array(there.utf8)))
        #expect(got.sent == count / 4 * 3)
        #expect(meter.bytesDone == UInt64(count))
        #expect(meter.bytesPresent == UInt64(count / 4))
    }

    @Test("a server reads each block once, and what it makes up is refused")
    func lies() throws {
        let cluster = try Cluster(.newest), here = try TestDirectory.make("here")
        try TestDirectory.write(file("x", 200_000), to: "\(cluster.directory)/file")
        try TestDirectory.write(file("x", 100_000), to: "\(here)/file")
        func transfer(_ functions: String..., size: UInt64 = 200_000) throws -> KeepingFeeder {
            try cluster.sql("DROP SCHEMA IF EXISTS own CASCADE; CREATE SCHEMA own; CREATE SEQUENCE own.calls")
            for function in functions { try cluster.sql("CREATE FUNCTION own.\(function)") }
            let session = try connect(cluster), sql = BackupSQL(session.serverVersion)
            _ = try session.run(sql.settings)
            _ = try session.run("SET search_path = own, pg_catalog")
            var feeder = KeepingFeeder(here: try ConfinedDirectory(path: here))
            var transfer = UnitTransfer<KeepingFeeder>(
                BackupUnit(archive: 0, parts: [try part("file", size: size)]), meter: ProgressMeter { _ in },
                pages: nil)
            while !transfer.isComplete { try transfer.run(session, sql, into: &feeder, pacer: nil) }
            return feeder
        }
        func refused(_ words: String, _ functions: String, size: UInt64 = 200_000) {
            let error = #expect(throws: UnderstudyError.self) { try transfer(functions, size: size) }
            #expect(error?.code == .protocolViolation && error?.message.contains(words) == true, "\(error as Any)")
        }
        let read = "pg_read_binary_file(p text, o bigint, n bigint, m boolean) RETURNS bytea VOLATILE LANGUAGE"
        let feeder = try transfer(
            """
            \(read) plpgsql AS $$ BEGIN
              PERFORM nextval('own.calls'); RETURN pg_catalog.pg_read_binary_file(p, o, n, m);
            END $$
            """)
        #expect(feeder.files.map(\.sent) == [200_000 - 65536])
        #expect(try cluster.sql("SELECT last_value FROM own.calls") == "4")
        refused(
            "in place of", "\(read) sql AS $$ SELECT '\\x00'::bytea || pg_catalog.pg_read_binary_file(p, o, n, m) $$")
        refused(
            "told nothing of",
            "substr(b bytea, o integer, n integer) RETURNS bytea LANGUAGE sql AS $$ SELECT pg_catalog.sha256(repeat('x', 65536)::bytea) $$"
        )
        refused(
            "other bytes",
            "generate_series(b bigint, e bigint, s integer) RETURNS SETOF bigint LANGUAGE sql AS $$ SELECT b + 7 $$")
        // 16 MiB are asked for at once, and the next block not yet.
        let more = "SELECT o FROM pg_catalog.generate_series(b, e + 65536, s) o"
        refused(
            "other bytes",
            "generate_series(b bigint, e bigint, s integer) RETURNS SETOF bigint LANGUAGE sql AS $$ \(more) $$",
            size: 17 << 20)
        refused(
            "before the end",
            "generate_series(b bigint, e bigint, s integer) RETURNS SETOF bigint LANGUAGE sql AS $$ SELECT b $$")
    }
}

private struct KeepingFeeder: MemberFeeder {
    typealias Failure = UnderstudyError

    /// What is here already.
    var here: ConfinedDirectory?
    var files: [(name: String, content: [UInt8], sent: Int)] = []
    var leftOut: [String] = []
    var onOpen: (String) -> Void = { _ in }
    var onContent: () -> Void = {}

    var updates: Bool { here != nil }

    mutating func beginArchive(_ archive: AnnouncedArchive) {}
    mutating func begin(_ entry: TarEntry) { files.append(("\(entry.path)", [], 0)) }
    mutating func content(_ bytes: RawSpan) {
        onContent()
        files[files.count - 1].content += bytes.array
        files[files.count - 1].sent += bytes.byteCount
    }
    mutating func openPresent(_ entry: TarEntry) throws(UnderstudyError) -> PresentFile? {
        onOpen("\(entry.path)")
        do throws(FileIOError) { return try here?.openPresent(RelativePath(bytes: entry.path.bytes)) } catch {
            throw UnderstudyError(error)
        }
    }
    mutating func present(_ bytes: RawSpan) { files[files.count - 1].content += bytes.array }
    mutating func leaveOut(_ entry: TarEntry) { leftOut.append("\(entry.path)") }
    mutating func end() {}
    mutating func drain() {}
}
