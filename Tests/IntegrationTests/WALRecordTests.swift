import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// Records of WAL as this program reads them, and as the stock pg_waldump does.
@Suite(.disabled(if: isStock)) struct WALRecordTests {
    /// What the two must agree on: a line for each record.
    private func dump(_ range: WALRange, of cluster: Cluster) throws -> [UInt8] {
        let path = TestDirectory.freshPath("records")
        // In an order of its own, without leading zeros in positions.
        let fields =
            #"^rmgr: ([^ ]+) +len \(rec/tot\): +([0-9]+)/ *([0-9]+), tx: +([0-9]+), lsn: ([^,]+), prev ([^,]+),.*"#
        let words = [
            cluster.installation.program("pg_waldump"), "-p", "\(cluster.directory)/pg_wal", "-t",
            "\(range.timeline)", "-s", "\(range.start)", "-e", "\(range.end)",
        ].joined(separator: " ")
        let script =
            #"set -o pipefail; \#(words) | sed -E 's!\#(fields)!\1 \2 \3 \4 \5 \6!; s!/0+([0-9A-F])!/\1!g' >\#(path)"#
        try Program.check("/bin/bash", ["-c", script])
        return try FileTree.bytes(path)
    }

    private func read(
        _ ranges: [WALRange], in directory: String
    ) async throws -> (lines: [UInt8], result: WALVerification.Result, records: [WALRecord]) {
        let records = Locked<[WALRecord]>([])
        let result = try await WALVerification(of: ranges, in: directory).run { record in
            records.withLock { $0.append(record) }
        }
        let all = records.withLock { $0 }
        var lines: [UInt8] = []
        for record in all {
            let length = record.totalLength
            let line =
                "\(record.resourceManager) \(length - record.imagesLength) \(length) \(record.transaction) \(record.position) \(record.previous)\n"
            lines += line.utf8
        }
        return (lines, result, all)
    }

    private func expectSame(_ own: [UInt8], _ stock: [UInt8]) {
        if same(own, stock) { return }
        let lines = [own, stock].map { String(decoding: $0, as: UTF8.self).split(separator: "\n") }
        let first = zip(lines[0], lines[1]).first { $0 != $1 }
        Issue.record("\(lines[0].count) and \(lines[1].count) records, first other: \(first as Any)")
    }

    private func position(_ cluster: Cluster) throws -> LSN {
        try #require(LSN(try cluster.sql("SELECT pg_current_wal_insert_lsn()")))
    }

    /// What each version compresses full-page images with, and the size of its segments.
    private static let forms: [Int: (method: String, megabytes: Int, found: WALRecord.ImageCompression)] = [
        14: ("on", 16, .pglz), 15: ("lz4", 1, .lz4), 16: ("zstd", 16, .zstd), 17: ("off", 1, []),
        18: ("pglz", 16, .pglz),
    ]

    @Test(arguments: PostgresInstallation.all)
    func `agree with those of pg_waldump, under a load of all kinds`(installation: PostgresInstallation) async throws {
        let form = Self.forms[installation.major] ?? (method: "off", megabytes: 16, found: [])
        var options = Cluster.Options()
        options.walSegmentMegabytes = form.megabytes
        options.settings = ["wal_compression = \(form.method)", "wal_level = logical"]
        let cluster = try Cluster(installation, options)
        let start = try position(cluster)
        try Workload.prepare(cluster)
        try Program.check(
            installation.program("pgbench"),
            ["-n", "-c", "2", "-t", "100", "-h", cluster.socketDirectory, "-p", "\(cluster.port)", "-U", "postgres"])
        try cluster.sql(
            """
            CREATE TABLE t (a int PRIMARY KEY, b text, c int[], d point);
            INSERT INTO t SELECT n, repeat(n::text, n % 40), array[n], point(n, n) FROM generate_series(1, 2000) AS n;
            CREATE INDEX ON t USING gin (c); CREATE INDEX ON t USING brin (a); CREATE INDEX ON t USING hash (b);
            CREATE INDEX ON t USING gist (d); CREATE INDEX ON t USING spgist (d); CREATE SEQUENCE s;
            SELECT count(nextval('s')) FROM generate_series(1, 100);
            SELECT pg_logical_emit_message(false, 'test', repeat('long', 200000)) IS NULL;
            SELECT pg_switch_wal() IS NULL;
            """)
        try cluster.sql("CREATE DATABASE d")
        try cluster.sql(
            "VACUUM FULL t; CHECKPOINT; UPDATE t SET a = a + 10000; DELETE FROM t WHERE a % 3 = 0; VACUUM t")
        try cluster.sql("BEGIN; TRUNCATE t; SAVEPOINT one; DROP TABLE t; ROLLBACK TO one; COMMIT")
        try cluster.sql("DROP DATABASE d")
        let range = WALRange(timeline: 1, start: start, end: try position(cluster))
        try cluster.stop()

        let own = try await read([range], in: "\(cluster.directory)/pg_wal")
        #expect(own.result.flaws.isEmpty && own.result.recordCount == own.records.count)
        expectSame(own.lines, try dump(range, of: cluster))
        #expect(range.end.rawValue - range.start.rawValue > 12 << 20)
        #expect(own.records.map(\.compression).reduce([]) { $0.union($1) } == form.found)
        #expect(own.records.contains(where: \.isSegmentSwitch) && own.records.contains { $0.totalLength > 800_000 })
        #expect(Set(own.records.map(\.resourceManager)).count > 13)
    }

    @Test func `are followed over a promotion, in compressed segments too, and what is missing is found`() async throws
    {
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        let cluster = try Cluster(.newest, options)
        let start = try position(cluster)
        try cluster.sql("CREATE TABLE t AS SELECT repeat('x', 500) AS x FROM generate_series(1, 5000)")
        try cluster.stop()
        try TestDirectory.write("", to: "\(cluster.directory)/standby.signal")
        try cluster.start()
        try cluster.sql("SELECT pg_promote()")
        try cluster.sql("CREATE TABLE u AS SELECT repeat('y', 500) AS y FROM generate_series(1, 5000)")
        let end = try position(cluster)
        try cluster.stop()
        let wal = "\(cluster.directory)/pg_wal"
        let history = try TimelineHistory(parsing: FileTree.bytes("\(wal)/00000002.history"), of: 2)
        let fork = try #require(history.switchLSN(of: 1))
        let ranges = [
            WALRange(timeline: 1, start: start, end: fork), WALRange(timeline: 2, start: fork, end: end),
        ]
        let own = try await read(ranges, in: wal)
        #expect(own.result.flaws.isEmpty)
        expectSame(own.lines, try ranges.flatMap { try dump($0, of: cluster) })

        let copy = TestDirectory.freshPath("copy")
        try Program.check("/bin/cp", ["-r", wal, copy])
        try Program.check("/bin/bash", ["-c", "cd '\(copy)' && gzip $(ls | grep -E '^[0-9A-F]{24}$')"])
        let compressed = try await read(ranges, in: copy)
        #expect(compressed.result.flaws.isEmpty && compressed.records == own.records)
        // In the middle of what the child has.
        let lost = try #require(
            WALSegmentName(containing: fork, timeline: 2, size: WALSegmentSize(bytes: 1 << 20)!)?.next)
        try FileManager.default.removeItem(atPath: "\(copy)/\(lost).gz")
        let part = try await read(ranges, in: copy)
        #expect(part.result.flaws.map(\.kind) == [.missing] && part.records.count < own.records.count)
        #expect(own.lines.starts(with: part.lines))
    }

    @Test func `each byte that pg_waldump finds changed is found`() async throws {
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        let cluster = try Cluster(.newest, options)
        try cluster.sql("SELECT pg_switch_wal(); CREATE TABLE t (a int PRIMARY KEY, b text)")
        let start = try position(cluster)
        try cluster.sql(
            "INSERT INTO t SELECT n, repeat('x', n) FROM generate_series(1, 300) AS n; VACUUM t; CHECKPOINT")
        try cluster.sql(
            "UPDATE t SET b = b || a WHERE a % 10 = 0; SELECT pg_logical_emit_message(true, 'p', repeat('m', 20000)) IS NULL"
        )
        let range = WALRange(timeline: 1, start: start, end: try position(cluster))
        try cluster.stop()
        let wal = "\(cluster.directory)/pg_wal"
        let segment = try #require(
            WALSegmentName(containing: start, timeline: 1, size: WALSegmentSize(bytes: 1 << 20)!))
        try #require(segment.contains(range.end))
        let path = "\(wal)/\(segment)"
        let words = ["-q", "-p", wal, "-s", "\(range.start)", "-e", "\(range.end)"]
        try Program.check(cluster.installation.program("pg_waldump"), words)
        var verification = WALVerification(of: [range], in: wal)
        verification.pageSize = 8192
        #expect(try await verification.run().flaws.isEmpty)

        let file = try #require(FileHandle(forUpdatingAtPath: path))
        var generator = Seed.generator()
        let offset = Int(range.start.segmentOffset(segment.size)),
            count = Int(range.end.rawValue - range.start.rawValue)
        var found = 0, unseen = 0
        let rounds = Seed.rounds(short: 150, thorough: 1000)
        for _ in 0..<rounds {
            let place = UInt64(offset + Int.random(in: 0..<count, using: &generator))
            try file.seek(toOffset: place)
            let old = try #require(try file.read(upToCount: 1))
            func put(_ byte: UInt8) throws {
                try file.seek(toOffset: place)
                try file.write(contentsOf: Data([byte]))
            }
            try put(old[0] ^ UInt8.random(in: 1...255, using: &generator))
            let stock = try Program.run(cluster.installation.program("pg_waldump"), words)
            let flaws = try await verification.run().flaws
            try put(old[0])
            if stock.status != 0 { found += 1 }
            if flaws.isEmpty { unseen += 1 }
            #expect(stock.status == 0 || !flaws.isEmpty, "seed \(Seed.value), offset \(place): \(stock)")
        }
        // The rest is filler, or a length that goes on behind the range, which pg_waldump does not mind.
        #expect(found > rounds * 9 / 10 && unseen < rounds / 20, "\(found) of \(rounds) found, \(unseen) unseen")
    }
}
