import Foundation
import Testing
import UnderstudyTestSupport

/// The commands of the guide run as they stand there, but for the addresses and the directories.
@Suite(.disabled(if: isStock)) struct GuideTests {
    private static let guide = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("docs/guide").path

    /// Two pages have tests of their own: RestoreGuideTests, TutorialTests.
    private static let pages = FileTree.names(guide).filter { !["restore.md", "five-minutes.md"].contains($0) }

    /// The blocks of shell commands, in their order.
    private func blocks(_ page: String, _ language: String = "sh") throws -> [String] {
        let text = try String(contentsOfFile: "\(Self.guide)/\(page)", encoding: .utf8)
        return text.components(separatedBy: "```\(language)\n").dropFirst().map {
            $0.components(separatedBy: "\n```")[0]
        }
    }

    /// A primary made by the page about connecting, and the directories that the pages speak of.
    private struct Place {
        let primary: Cluster
        let home: String
        let standbyPort: Int

        init(roles: [String]) throws {
            var options = Cluster.Options()
            options.settings = ["summarize_wal = on"]
            options.hostBasedAuthentication = [
                "host replication replicator 127.0.0.1/32 scram-sha-256",
                "host postgres,replication monitor 127.0.0.1/32 scram-sha-256",
            ]
            primary = try Cluster(.newest, options)
            home = try TestDirectory.make("guide", mode: 0o755)
            standbyPort = try Port.free()
            for statement in roles { try primary.sql(statement) }
            for path in ["srv", "srv/archive", "mnt", "usr/local/lib/understudy", "usr/local/bin"] {
                try Program.check("/bin/mkdir", ["-p", "\(home)/\(path)"])
            }
            try Program.check("/bin/ln", ["-s", UnderstudyProgram.path, "\(home)/usr/local/bin/understudy"])
        }

        func local(_ block: String) -> String {
            var block = block.replacing("10.0.0.1", with: "127.0.0.1").replacing("db1,db2", with: "127.0.0.1,127.0.0.1")
            for path in ["/srv", "/mnt", "/usr/local"] {
                block = block.replacing(" \(path)", with: " \(home)\(path)").replacing(
                    "=\(path)", with: "=\(home)\(path)")
            }
            block = block.replacing("10.0.0.2", with: "127.0.0.1 port=\(standbyPort)")
            block = block.replacing("/run/postgresql", with: primary.socketDirectory)
            block = block.replacing("--listen 9187", with: "--listen 0")
            block = block.replacing("/var/lib/prometheus/node-exporter", with: "\(home)/srv/archive")
            block = block.replacing("10.0.0.1 user", with: "127.0.0.1 port=\(primary.port) user")
            return block.replacing("--start", with: "--start --standby-port \(standbyPort)").replacing(
                "--standby-port 5433", with: "--standby-port \(standbyPort)")
        }

        func start(_ block: String) throws -> Program {
            let path = "\(home)/usr/local/bin:\(primary.installation.programs):/usr/bin:/bin"
            return try Program(
                "/bin/bash", ["-eo", "pipefail", "-c", "cd '\(home)'; \(local(block))"],
                environment: UnderstudyProgram.environment.merging(
                    ["PATH": path, "PGPORT": "\(primary.port)", "PGPASSWORD": "..."]) { $1 })
        }

        /// A standby that streams, where the page about checks has it.
        func startStandby() throws -> Cluster {
            let result = try start(
                "understudy clone -h 10.0.0.1 -U replicator -D /mnt/standby --slot standby1 -c fast --start"
            ).wait()
            try #require(result.status == 0, "\(result)")
            return try Cluster(running: "\(home)/mnt/standby", primary.installation)
        }

        /// An archive of some segments, and a base backup.
        func fillArchive() throws {
            try TestDirectory.make(at: "\(home)/srv/wal")
            try primary.sql("SELECT pg_create_physical_replication_slot('guide', true)")
            for _ in 1...2 { try primary.sql("CREATE TABLE t (); DROP TABLE t; SELECT pg_switch_wal()") }
            try TestDirectory.make(at: "\(home)/srv/backups")
            let backup = try start(
                "understudy basebackup -h 10.0.0.1 -U replicator -D /srv/backups/monday -c fast"
            ).wait()
            #expect(backup.status == 0, "\(backup)")
            try primary.sql("SELECT pg_create_restore_point('before upgrade')")
            let end = try primary.sql("SELECT pg_switch_wal()")
            let archiver = try start(
                "understudy receivewal -h 10.0.0.1 -U replicator -D /srv/wal -S guide -Z zstd -E \(end)"
            ).wait()
            #expect(archiver.status == 0, "\(archiver)")
        }

        /// Makes the tablespaces that a block maps, for its time.
        func withTablespaces<Value>(of block: String, _ body: () throws -> Value) throws -> Value {
            let names = ["fast", "slow"].filter { block.contains("/mnt/\($0)") }
            for name in names {
                try TestDirectory.make(at: "\(home)/mnt/\(name)")
                try primary.sql("CREATE TABLESPACE \(name) LOCATION '\(home)/mnt/\(name)'")
            }
            defer {
                for name in names {
                    _ = try? primary.sql("DROP TABLESPACE \(name)")
                    TestDirectory.removeTree("\(home)/mnt/\(name)")
                }
            }
            return try body()
        }
    }

    @Test(arguments: pages)
    func `its commands work`(page: String) throws {
        let blocks = try blocks(page)
        guard !blocks.isEmpty else { return }
        let place = try Place(roles: try self.blocks("connect.md", "sql"))
        // An earlier backup, of which one block takes the changes.
        if page == "basebackup.md" {
            let sunday = try place.start("understudy basebackup -h 10.0.0.1 -U replicator -D /srv/sunday -c fast")
                .wait()
            #expect(sunday.status == 0, "\(sunday)")
        }
        if ["archive.md", "configure.md"].contains(page) { try place.fillArchive() }
        var standby: Cluster?
        defer { try? standby?.stop() }
        if page == "check.md" {
            for statements in try self.blocks(page, "sql") { try place.primary.sql(statements) }
            standby = try place.startStandby()
        }
        for block in blocks {
            let isEndless = block.contains("understudy receivewal") && block.contains("-D ")
            if isEndless {
                let begin = try #require(block.range(of: "understudy receivewal", options: .backwards))
                let program = try place.start(block.replacingCharacters(in: begin, with: "exec understudy receivewal"))
                try place.primary.waitForStream(program)
                program.send(SIGINT)
                let result = program.wait()
                #expect(result.status == 0, "\(result)")
            } else {
                let result = try place.withTablespaces(of: block) { try place.start(block).wait() }
                #expect(result.status == 0, "\(block)\n\(result)")
                if block.contains("--version") { #expect(result.output.contains(" (PostgreSQL) 18.99 (Understudy ")) }
                if block.contains("--start") || block.contains("pg_ctl -D /srv/standby") {
                    let standby = try Cluster(running: "\(place.home)/srv/standby", place.primary.installation)
                    try place.primary.sql("CREATE TABLE arrives AS SELECT 1 AS n")
                    try place.primary.waitForReplay(on: standby)
                    #expect(try standby.sql("SELECT n FROM arrives") == "1")
                    try standby.stop()
                }
            }
            for name in FileTree.names("\(place.home)/srv")
            where !["archive", "backups", "sunday", "monday", "wal"].contains(name) {
                TestDirectory.removeTree("\(place.home)/srv/\(name)")
            }
            if !["archive.md", "configure.md", "receivewal.md"].contains(page) {
                TestDirectory.removeTree("\(place.home)/srv/wal")
            }
        }
    }
}
