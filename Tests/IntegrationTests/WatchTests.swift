import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// `receivewal` as Prometheus, an orchestrator and people see it.
@Suite(.disabled(if: isStock)) struct WatchTests {
    /// What an archiver that has acknowledged something shows.
    private static let names = [
        "connected", "stalled", "received_lsn", "flush_lsn", "server_lsn", "lag_bytes", "timeline",
        "received_bytes_total",
        "segments_finished_total", "disconnections_total", "gaps_total", "sync_seconds", "acknowledgement_seconds",
        "archive_gaps", "storage_wait_seconds", "receipt_wait_seconds", "silence_seconds",
    ].map { "understudy_wal_\($0)" }

    private func value(_ metric: String, in text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix("\(metric){archiver=\"watched\"} ") }
            .flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }
    }

    private func expectMetrics(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for name in Self.names {
            #expect(
                text.contains("# HELP \(name) ") && text.contains("# TYPE \(name) "), "\(name)",
                sourceLocation: sourceLocation)
        }
        if Promtool.path != nil { #expect(try Promtool.complaints(about: text) == "", sourceLocation: sourceLocation) }
    }

    @Test func `a metrics file is whole, may be read by all, and says at the end that nothing is received`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let archive = try WALArchive(), place = try TestDirectory.make("metrics", mode: 0o755)
        let file = "\(place)/a.prom"
        try cluster.sql("SELECT pg_create_physical_replication_slot('watched')")
        let program = try archive.receive(
            from: cluster, ["--metrics-file", file, "-S", "watched", "--synchronous"])
        try cluster.waitForStream(program)
        try eventually("the file: \(program.errorOutput)") { FileManager.default.fileExists(atPath: file) }
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try expectMetrics(text)
        #expect(value("understudy_wal_connected", in: text) == 0)
        #expect(value("understudy_wal_sync_seconds_count", in: text) ?? 0 > 0)
        #expect(value("understudy_wal_acknowledgement_seconds_count", in: text) ?? 0 > 0)
        #expect(value("understudy_wal_segments_finished_total", in: text) ?? 0 > 0)
        #expect(FileTree.names(place) == ["a.prom"])
        #expect(FileTree.snapshot(place).contains { $0.hasPrefix("a.prom 100644 ") })
    }

    @Test func `a metrics file that cannot be written is one warning, and WAL goes on`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let archive = try WALArchive(), place = try TestDirectory.make("metrics")
        let program = try archive.receive(from: cluster, ["--metrics-file", "\(place)/none/a.prom"])
        try cluster.waitForStream(program)
        try program.waitToSay("none\": No such file or directory")
        let result = program.stop()
        #expect(result.status == 0)
        #expect(result.errorOutput.components(separatedBy: "No such file or directory").count == 2, "\(result)")
    }

    @Test func `a metrics file in the archive, or in place of a pipe, is refused before anything begins`() throws {
        let archive = try TestDirectory.make("archive"), place = try TestDirectory.make("metrics")
        try TestDirectory.make(at: "\(archive)/diverged")
        try FileManager.default.createSymbolicLink(atPath: "\(place)/link", withDestinationPath: "\(archive)/diverged")
        for file in [
            "\(archive)/000000010000000000000003", "\(archive)/none/a.prom", "\(place)/link/a.prom",
            "\(place)/../\(archive.split(separator: "/").last ?? "")/a.prom",
        ] {
            let result = try UnderstudyProgram.run(["receivewal", "-D", archive, "-h", place, "--metrics-file", file])
            #expect(result.status == 1)
            #expect(result.errorOutput.contains("error: metrics file \"\(file)\" is in the archive"), "\(result)")
        }
        // Never a device of the machine: a program that is broken replaces it.
        #expect(unsafe mkfifo("\(place)/pipe", 0o600) == 0)
        let result = try UnderstudyProgram.run(
            ["receivewal", "-D", archive, "-h", place, "--metrics-file", "\(place)/pipe"])
        #expect(result.status == 1 && result.errorOutput.contains("neither a file nor a directory"), "\(result)")
        #expect(FileTree.names(archive) == ["diverged"])
    }

    #if HTTP
    /// Where a program that was told port 0 listens.
    private func port(of program: Program) throws -> Int {
        try program.waitToSay("listening on http://127.0.0.1:")
        let said = program.errorOutput.components(separatedBy: "listening on http://127.0.0.1:")
        return try #require(Int(said[1].prefix { $0.isNumber }))
    }

    @Test func `metrics, readiness and status follow the server, which dies and comes back`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let archive = try WALArchive()
        try cluster.sql("SELECT pg_create_physical_replication_slot('watched')")
        let program = try archive.receive(from: cluster, ["--listen", ":0", "-S", "watched"])
        let port = try port(of: program)
        func isReady() throws -> Bool { try HTTPExchange.get("/readyz", port: port).status == 200 }
        try eventually("readiness: \(program.errorOutput)") { try isReady() }
        try cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 1000)")
        func metrics() throws -> String { try HTTPExchange.get("/metrics", port: port).body }
        try eventually("an acknowledgement") {
            value("understudy_wal_acknowledgement_seconds_count", in: try metrics()) ?? 0 > 0
        }
        try expectMetrics(try metrics())
        #expect(value("understudy_wal_connected", in: try metrics()) == 1)
        func status() throws -> [String: Any] {
            let body = try HTTPExchange.get("/status", port: port).body
            let object = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
            return try #require((object?["archivers"] as? [[String: Any]])?.first)
        }
        // The slot is looked at over another connection, a little later.
        try eventually("the slot") { (try status()["slot"] as? [String: Any])?["walStatus"] as? String == "reserved" }
        let before = try status()
        #expect(before["name"] as? String == "watched" && before["phase"] as? String == "streaming")
        let holdings = try #require(before["holdings"] as? [String: Any])
        #expect(holdings["begin"] is [String: Any] && holdings["end"] is [String: Any])
        #expect((holdings["gaps"] as? [Any])?.isEmpty == true)

        try cluster.stop(.immediate)
        try eventually("that it is not ready") { try !isReady() }
        let refusal = try HTTPExchange.get("/readyz", port: port)
        #expect(refusal.status == 503 && refusal.body.hasPrefix("watched "), "\(refusal)")
        #expect(try HTTPExchange.get("/healthz", port: port).status == 200)
        try eventually("the error") { try status()["lastError"] is [String: Any] }
        #expect(try HTTPExchange.get("/", port: port).body.contains("<div class=\"error\">"))
        #expect(value("understudy_wal_disconnections_total", in: try metrics()) == 1)
        try cluster.start()
        try eventually("readiness again: \(program.errorOutput)") { try isReady() }
        #expect(try status()["reconnects"] as? Int == 1)
        #expect(program.stop().status == 0)
    }

    @Test func `a port that is taken ends it before it connects`() throws {
        let nothing = ScriptedServer.Answer([], endsConnection: true)
        let server = try ScriptedServer(startup: nothing) { _ in nothing }
        let target = try WALTarget()
        let result = try target.run(server, ["--listen", "127.0.0.1:\(server.port)"])
        #expect(result.status == 1)
        #expect(
            result.errorOutput.contains(
                "understudy: error: could not listen on \"127.0.0.1:\(server.port)\": Address already in use"),
            "\(result)")
        #expect(result.errorOutput.contains("understudy: hint: Another program has the port: ss -ltnp"))
        #expect(target.names == [] && server.commands == [])
    }
    #else
    @Test func `a program without HTTP says so`() throws {
        let result = try UnderstudyProgram.run(["receivewal", "-D", "/nowhere", "--listen", ":0"])
        #expect(result.status == 1 && result.errorOutput.contains("--traits HTTP"), "\(result)")
    }
    #endif

    @Test(.enabled(if: Promtool.path != nil)) func `the rules and the scrape configuration of the guide are ones`()
        throws
    {
        let guide = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/guide/watch.md")
        let text = try String(contentsOf: guide, encoding: .utf8)
        let place = try TestDirectory.make("rules", mode: 0o755)
        for block in text.components(separatedBy: "```yaml\n").dropFirst() {
            let content = block.components(separatedBy: "\n```")[0]
            let kind = content.hasPrefix("groups:") ? "rules" : "config"
            try TestDirectory.write(content, to: "\(place)/\(kind)", mode: 0o644)
            let result = try Program.run(try #require(Promtool.path), ["check", kind, "\(place)/\(kind)"])
            #expect(result.status == 0 && result.output.contains("SUCCESS"), "\(result)")
        }
        #expect(FileTree.names(place) == ["config", "rules"])
        // Every metric that a rule speaks of is one.
        let known = Self.names + ["understudy_wal_sync_seconds_bucket"]
        for word in text.split(whereSeparator: { !$0.isLetter && $0 != "_" }) where word.hasPrefix("understudy_wal_") {
            #expect(known.contains(String(word)), "\(word)")
        }
    }

    /// The rules of the guide, played with the values of some quarters of an hour.
    @Test(.enabled(if: Promtool.path != nil)) func `rules fire neither after an idle time nor too late`() throws {
        let guide = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/guide/watch.md")
        let blocks = try String(contentsOf: guide, encoding: .utf8).components(separatedBy: "```yaml\n").dropFirst()
        let rules = try #require(blocks.first { $0.hasPrefix("groups:") }).components(separatedBy: "\n```")[0]
        let place = try TestDirectory.make("rules", mode: 0o755)
        try TestDirectory.write(rules, to: "\(place)/rules", mode: 0o644)
        func series(_ name: String, _ values: String) -> String {
            "      - series: 'understudy_wal_\(name){archiver=\"a\"}'\n        values: '\(values)'\n"
        }
        func wanted(_ minute: Int, _ alert: String, _ count: Int) -> String {
            "      - {eval_time: \(minute)m, expr: 'count(ALERTS{alertname=\"\(alert)\",alertstate=\"firing\"}) or vector(0)', "
                + "exp_samples: [{labels: '{}', value: \(count)}]}\n"
        }
        // Nothing to acknowledge for half an hour, then WAL that is not.
        let input =
            series("lag_bytes", "0x30 100x60") + series("flush_lsn", "5000x90") + series("archive_gaps", "1x90")
            + series("storage_wait_seconds", "0x30 60+60x60") + series("receipt_wait_seconds", "0x30 60+60x60")
        let tests =
            wanted(31, "NothingAcknowledged", 0) + wanted(40, "NothingAcknowledged", 0)
            + wanted(60, "NothingAcknowledged", 1) + wanted(0, "ArchiveHasGap", 1)
            + wanted(30, "StorageDoesNotAnswer", 0) + wanted(33, "StorageDoesNotAnswer", 1)
            + wanted(30, "ServerSendsNothing", 0) + wanted(33, "ServerSendsNothing", 1)
        let head = "rule_files: [rules]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n"
        try TestDirectory.write(
            "\(head)    input_series:\n\(input)    promql_expr_test:\n\(tests)", to: "\(place)/test", mode: 0o644)
        let result = try Program.run(try #require(Promtool.path), ["test", "rules", "\(place)/test"])
        #expect(result.status == 0, "\(result)")
    }

    @Test(arguments: ["nonsense", "127.0.0.1", "::1:9187", ":70000"])
    func `an address that is none is refused`(address: String) throws {
        let result = try UnderstudyProgram.run(["receivewal", "-D", "/nowhere", "--listen", address])
        #expect(result.status == 1 && result.errorOutput.contains("--listen"), "\(result)")
    }
}
