import Foundation
import Testing
import UnderstudyTestSupport

/// Our program under the name pg_basebackup, beside the stock one: the same arguments, the same server.
@Suite struct DifferentialTests {
    /// A server, and the stock tool that is run beside ours: that of its own version, or a newer one.
    struct Pair: Sendable, CustomTestStringConvertible {
        var server: PostgresInstallation
        var tool: PostgresInstallation

        var testDescription: String { "server \(server.major), tool \(tool.major)" }

        /// The oldest and the newest server with the newest tool; thorough: what is between them, and the oldest tool.
        static let all = numbers.compactMap { server, tool -> Pair? in
            let installed = PostgresInstallation.all
            guard let server = installed.first(where: { $0.major == server }),
                let tool = installed.first(where: { $0.major == tool })
            else { return nil }
            return Pair(server: server, tool: tool)
        }

        private static let numbers =
            Seed.isThorough ? [(14, 14), (14, 18), (15, 18), (16, 18), (17, 18), (18, 18)] : [(14, 18), (18, 18)]
    }

    private struct Bench {
        let cluster: Cluster
        let tool: PostgresInstallation
        let place: String
        let stock: ComparedRun.Tool
        let ours: ComparedRun.Tool
        let manifest: String

        init(_ pair: Pair) throws {
            let installation = pair.server
            tool = pair.tool
            var options = Cluster.Options()
            options.settings = ["autovacuum = off"] + (installation.major >= 17 ? ["summarize_wal = on"] : [])
            cluster = try Cluster(installation, options)
            try cluster.sql("CREATE ROLE norepl LOGIN")
            try cluster.sql("SELECT pg_create_physical_replication_slot('there')")
            place = try TestDirectory.make("compared", mode: 0o755)
            let link = "\(place)/pg_basebackup"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: UnderstudyProgram.path)
            let environment = [
                "PGHOST": cluster.socketDirectory, "PGPORT": "\(cluster.port)", "PGUSER": "postgres", "LC_ALL": "C",
            ]
            stock = .init(name: "stock", path: tool.program("pg_basebackup"), environment: environment)
            ours = .init(
                name: "ours", path: link, environment: environment.merging(UnderstudyProgram.environment) { $1 })
            let earlier = TestDirectory.freshPath("earlier")
            try #require(try basebackup(cluster, to: earlier, []).status == 0)
            manifest = "\(earlier)/backup_manifest"
        }

        /// - Parameter more: Added where the line has none of it.
        func compare(_ lines: [String], more: [String] = []) throws {
            for (number, line) in lines.enumerated() {
                var line = line
                if line.hasPrefix("@") {
                    guard tool.major >= Int(line.dropFirst().prefix(2))! else { continue }
                    line.removeFirst(4)
                }
                // Ours looks at its own options before it asks which version the server has.
                if cluster.installation.major < 15, line == "-t blackhole -X none -R" { continue }
                let words =
                    shellWords(line.replacing("{MANIFEST}", with: manifest)) + (line.contains("-c ") ? [] : more)
                let expected = try ComparedRun(stock, words, in: place, number: number)
                let found = try ComparedRun(ours, words, in: place, number: number)
                let compared = found.withoutOwnLines(comparedWith: expected)
                #expect(compared == expected, "pg_basebackup \(line)")
                if line.contains("made") { try dropSlots() }
            }
        }

        private func dropSlots() throws {
            let made = try cluster.sql("SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'made%'")
            for name in made.split(separator: "\n") { try cluster.sql("SELECT pg_drop_replication_slot('\(name)')") }
        }
    }

    @Test(arguments: Pair.all)
    func `bad command lines are refused as by the stock tool`(pair: Pair) throws {
        try Bench(pair).compare(ArgumentSets.badCommandLines)
    }

    @Test(arguments: Pair.all)
    func `what cannot be done is said as by the stock tool`(pair: Pair) throws {
        try Bench(pair).compare(ArgumentSets.refusals, more: ["-c", "fast"])
    }

    @Test(arguments: Pair.all)
    func `backups are as those of the stock tool`(pair: Pair) throws {
        try Bench(pair).compare(ArgumentSets.backups, more: ["-c", "fast"])
    }

    /// Where we differ, and how.
    @Test func `differences are meant`() throws {
        let bench = try Bench(Pair(server: .newest, tool: .newest))
        func run(_ line: String) throws -> ComparedRun {
            try ComparedRun(bench.ours, shellWords(line) + ["-c", "fast"], in: bench.place, number: 0)
        }
        // What is wrong with a name, a label or a word is seen before the server is asked for a backup.
        for (line, error) in [
            ("-D d -S 'bad name'", "replication slot name \"bad name\" contains a character that no slot name has"),
            ("-D d -C -S Bad", "replication slot name \"Bad\" contains a character that no slot name has"),
            ("-D d -l \(String(repeating: "l", count: 1100))", "backup label is too long: it has 1100 bytes"),
            ("-D d --manifest-checksums=foo", "unrecognized checksum algorithm: \"foo\""),
        ] {
            let result = try run(line)
            #expect(result.status == 1 && result.errors.first == "pg_basebackup: error: \(error)", "\(result)")
        }
        // More can be done.
        for line in [
            // WAL waits until its turn comes.
            "-D - -F t", "-D - -F t -X stream",
            // Compressed again here, with the manifest in it.
            "-D - -F t -X none -Z server-gzip", "-D d -F t -R -Z server-gzip",
            // Options that the stock tool had once.
            "-D d -x", "-D d --xlog-method=fetch", "-D d --xlogdir={PWD}/w",
        ] {
            let result = try run(line)
            #expect(result.status == 0, "\(line): \(result)")
        }
    }
}
