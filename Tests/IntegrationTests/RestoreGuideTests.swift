import Foundation
import Testing
import UnderstudyTestSupport

/// Servers that are restored as the page "From archive to running server" says.
@Suite(.disabled(if: isStock)) struct RestoreGuideTests {
    /// A primary, a receiver, and the directories that the page speaks of.
    private final class Story {
        let primary: Cluster
        let home: String
        let port: Int
        let blocks: [String]
        /// What the receiver compresses with.
        let method: String
        var receiver: Program?
        /// What the archive lies on.
        private(set) var disk: MountedFileSystem?

        /// - Parameter hasDisk: Puts the archive on a small file system of its own, if that can be had.
        init(_ installation: PostgresInstallation, method: String, hasDisk: Bool = false) throws {
            var options = Cluster.Options()
            options.walSegmentMegabytes = 1
            primary = try Cluster(installation, options)
            try primary.makeReplicationRole("replicator")
            home = try TestDirectory.make("restore", mode: 0o755)
            port = try Port.free()
            self.method = method
            for path in ["srv", "bin"] { try TestDirectory.make(at: "\(home)/\(path)", mode: 0o755) }
            try Program.check("/bin/ln", ["-s", UnderstudyProgram.path, "\(home)/bin/understudy"])
            if hasDisk, MountedFileSystem.isAllowed {
                try TestDirectory.make(at: "\(home)/srv/wal")
                disk = try MountedFileSystem(.small(bytes: 24 << 20), on: "\(home)/srv/wal")
            }
            let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("docs/guide/restore.md")
            blocks = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "```sh\n").dropFirst().map {
                $0.components(separatedBy: "\n```")[0]
            }
        }

        deinit {
            receiver?.send(SIGKILL)
            disk = nil
            TestDirectory.removeTree(home)
        }

        /// The block that has these words, for this place.
        func start(_ words: String, _ changes: [String: String] = [:]) throws -> Program {
            var block = try #require(blocks.first { $0.contains(words) })
            block = block.replacing("10.0.0.1", with: "127.0.0.1").replacing("/srv", with: "\(home)/srv")
                .replacing("-p 5433", with: "-p \(port) -k \(primary.socketDirectory)").replacing(
                    "-Z zstd", with: "-Z \(method)")
            for (old, new) in changes { block = block.replacing(old, with: new) }
            let path = "\(home)/bin:\(primary.installation.programs):/usr/bin:/bin"
            return try Program(
                "/bin/bash", ["-eo", "pipefail", "-c", "cd '\(home)'; \(block)"],
                environment: UnderstudyProgram.environment.merging(["PATH": path, "PGPORT": "\(primary.port)"]) { $1 })
        }

        func run(_ words: String, _ changes: [String: String] = [:]) throws -> ProgramResult {
            try start(words, changes).wait()
        }

        /// All of the first chapter.
        func archive() throws {
            for words in ["--create-slot", "-Z zstd", "basebackup"] {
                if words == "-Z zstd" {
                    receiver = try start(words, ["understudy receivewal": "exec understudy receivewal"])
                    try primary.waitForStream(receiver!)
                } else {
                    // The file system is there before.
                    let result = try run(words, disk == nil ? [:] : ["700 \(home)/srv/wal": "700"])
                    try #require(result.status == 0, "\(result)")
                }
            }
        }

        /// Writes WAL for which the receiver finds no room, until there is room again.
        func fillDisk() throws {
            try disk?.fillUp()
            // More than the room that was allocated before.
            try primary.writeWAL(kilobytes: 5000)
            guard let disk else { return }
            try receiver?.waitToSay("No space left on device")
            try disk.freeUp()
        }

        func insert(_ text: String, into cluster: Cluster? = nil) throws {
            try (cluster ?? primary).sql(
                "CREATE TABLE IF NOT EXISTS story (line text); INSERT INTO story VALUES ('\(text)')")
        }

        /// Waits until the receiver has all that a server has written, and kills it.
        func killReceiver(of cluster: Cluster? = nil) throws {
            let cluster = cluster ?? primary
            let end = try cluster.sql("SELECT pg_current_wal_lsn()")
            try eventually("the receiver has all") {
                try cluster.holds("SELECT bool_or(flush_lsn >= '\(end)') FROM pg_stat_replication")
            }
            receiver?.send(SIGKILL)
            _ = receiver?.wait()
        }

        var restored: Cluster {
            get throws { try Cluster(running: "\(home)/srv/restored", primary.installation) }
        }
        var log: String { (try? String(contentsOfFile: "\(home)/srv/restored.log", encoding: .utf8)) ?? "(none)" }

        /// - Parameter digests: Of all tables, which are to be the same.
        func expectLines(
            _ lines: [String], digests: [String: String]? = nil, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let server = try restored
            try eventually("the end of recovery: \(log)") { try server.holds("SELECT NOT pg_is_in_recovery()") }
            #expect(
                try server.sql("SELECT string_agg(line, ' ' ORDER BY line) FROM story") == lines.joined(separator: " "),
                "\(log)", sourceLocation: sourceLocation)
            if let digests { #expect(try server.digests() == digests, sourceLocation: sourceLocation) }
            server.destroy()
        }
    }

    private static let cases = zip(PostgresInstallation.all, ["none", "gzip", "lz4", "zstd", "zstd"])

    @Test(arguments: Array(cases))
    func `the page brings back all that a killed receiver had, which had met a full disk, and a moment before`(
        installation: PostgresInstallation, method: String
    ) throws {
        let story = try Story(installation, method: method, hasDisk: true)
        try story.archive()
        try story.insert("1")
        let moment = try story.primary.sql("SELECT clock_timestamp()")
        try story.fillDisk()
        try story.insert("2")
        // Enough segments that some are unpacked ahead.
        let isLong = method == "zstd"
        if isLong { try story.primary.finishSegments(30) }
        try story.primary.sql("CREATE TABLE numbers AS SELECT i, md5(i::text) FROM generate_series(1, 5000) i")
        try story.primary.sql("UPDATE numbers SET md5 = md5(md5) WHERE i % 3 = 0; DELETE FROM numbers WHERE i % 7 = 0")
        let digests = try story.primary.digests()
        try story.killReceiver()
        try story.primary.stop(.immediate)

        let last = try story.run("restore-wal", ["restore-wal": "restore-wal -v"])
        #expect(last.status == 0, "\(last) \(story.log)")
        try story.expectLines(["1", "2"], digests: digests)
        #expect(story.log.contains("from the partial segment"), "\(story.log)")
        if isLong { #expect(story.log.contains("from \"pg_wal/understudy.ahead/0"), "\(story.log)") }

        let before = try story.run("recovery_target_time", ["2026-11-28 12:04:00+00": moment])
        #expect(before.status == 0, "\(before) \(story.log)")
        try story.expectLines(["1"])
        #expect(!FileTree.exists("\(story.home)/srv/restored/pg_wal/understudy.ahead"))
    }

    // MARK: - Over failovers

    @Test func `a restore goes over three timelines`() throws {
        let story = try Story(.newest, method: "zstd")
        try story.archive()
        try story.insert("1")
        var servers = [story.primary]
        for line in ["2", "3"] {
            let target = TestDirectory.freshPath("standby")
            let result = try basebackup(servers.last!, to: target, ["-R"])
            try #require(result.status == 0, "\(result)")
            let standby = try Cluster(copy: target, of: servers.last!)
            try standby.start()
            try servers.last!.waitForReplay(on: standby)
            let slot = try standby.sql("SELECT pg_create_physical_replication_slot('archive1')")
            #expect(!slot.isEmpty)
            try story.killReceiver(of: servers.last!)
            try servers.last!.stop(.fast)
            try standby.sql("SELECT pg_promote()")
            servers.append(standby)
            story.receiver = try story.start(
                "-Z zstd",
                [
                    "understudy receivewal": "exec understudy receivewal",
                    "-h 127.0.0.1": "-h 127.0.0.1 -p \(standby.port)",
                ])
            try standby.waitForStream(story.receiver!)
            try story.insert(line, into: standby)
            try standby.writeWAL(kilobytes: 1200)
        }
        try story.killReceiver(of: servers.last!)
        try servers.last!.stop(.immediate)
        let result = try story.run("restore-wal")
        #expect(result.status == 0, "\(result) \(story.log)")
        try story.expectLines(["1", "2", "3"])
        #expect(story.log.contains("selected new timeline ID: 4"), "\(story.log)")
    }

    // MARK: - Not promoted

    private static let troubles = ["unmounted", "corrupt", "gap"]

    @Test func `a recovery that must not end stops, and goes on when the archive is whole again`() throws {
        let story = try Story(.newest, method: "gzip")
        try story.archive()
        try story.primary.writeWAL(kilobytes: 4500)
        try story.insert("1")
        try story.killReceiver()
        try story.primary.stop(.immediate)
        let wal = "\(story.home)/srv/wal"
        let segments = FileTree.names(wal).filter { $0.hasSuffix(".gz") }
        let middle = "\(wal)/\(segments[segments.count - 2])"
        let quick = ["restore-wal": "restore-wal --retry-time=0"]
        for trouble in Self.troubles {
            switch trouble {
            case "unmounted":
                try FileManager.default.moveItem(atPath: wal, toPath: "\(wal).away")
                try TestDirectory.make(at: wal)
            case "corrupt": try Program.check("/usr/bin/truncate", ["-s", "-1000", middle])
            default: try FileManager.default.moveItem(atPath: middle, toPath: "\(middle).away")
            }
            // Over the copy of the trouble before, as there was no promotion.
            // The server may have let readers in before it came to the trouble.
            TestDirectory.removeTree("\(story.home)/srv/restored.log")
            _ = try story.run(
                "restore-wal",
                trouble == "unmounted" ? quick : quick.merging(["cp -a": "true", "cat >>": "cat >/dev/null "]) { $1 })
            try eventually("\(trouble): the server has stopped: \(story.log)") {
                story.log.contains("database system is shut down")
            }
            #expect(story.log.contains("recovery is stopped here"), "\(trouble): \(story.log)")
            #expect(!story.log.contains("selected new timeline"), "\(trouble): \(story.log)")
            #expect(FileTree.exists("\(story.home)/srv/restored/recovery.signal"))
            switch trouble {
            case "unmounted":
                TestDirectory.removeTree(wal)
                try FileManager.default.moveItem(atPath: "\(wal).away", toPath: wal)
            case "corrupt": break
            default: try FileManager.default.moveItem(atPath: "\(middle).away", toPath: middle)
            }
            if trouble == "corrupt" { try Self.mend(middle, story.primary) }
        }
        let result = try story.run("restore-wal", ["cp -a": "true", "cat >>": "cat >/dev/null "])
        #expect(result.status == 0, "\(result) \(story.log)")
        try story.expectLines(["1"])
    }

    /// Puts the segment of the server in place of a damaged one.
    private static func mend(_ path: String, _ primary: Cluster) throws {
        let name = String(path.split(separator: "/").last!.prefix(24))
        try Program.check(
            "/bin/sh", ["-c", "gzip -c '\(primary.directory)/pg_wal/\(name)' >'\(path)'"])
    }

    // MARK: - By hand

    @Test func `its exit status tells what is not there from what cannot be told`() throws {
        let home = try TestDirectory.make("restore", mode: 0o755)
        let archive = "\(home)/wal", name = "000000010000000000000003"
        func restore(_ arguments: [String], _ environment: [String: String] = [:]) throws -> ProgramResult {
            try UnderstudyProgram.run(["restore-wal"] + arguments, environment: environment)
        }
        try TestDirectory.make(at: archive, mode: 0o755)
        try TestDirectory.write("", to: "\(archive)/000000010000000000000002")
        let absent = try restore(["-v", "-D", archive, name, "\(home)/x"])
        #expect(absent.status == 1 && absent.errorOutput.contains("does not have \"\(name)\""), "\(absent)")
        #expect(try restore([name, "\(home)/x"], ["UNDERSTUDY_ARCHIVE": archive]).status == 1)
        let damaged = try restore(["-D", archive, "000000010000000000000002", "\(home)/x"])
        #expect(damaged.status == 200 && damaged.errorOutput.contains("is damaged"), "\(damaged)")
        for line in [[name, "\(home)/x"], ["-D", archive, name], ["-D", archive, "--no-such", name, "\(home)/x"]] {
            #expect(try restore(line).status == 200)
        }
        // Its names can be read, and nothing more.
        try TestDirectory.write("", to: "\(archive)/\(name)")
        try Program.check("/bin/chmod", ["644", archive])
        let closed = try restore(["-D", archive, name, "\(home)/x"])
        #expect(closed.status == 200 && closed.errorOutput.contains("Permission denied"), "\(closed)")
        try Program.check("/bin/chmod", ["755", archive])
        TestDirectory.removeTree(home)
    }

    // MARK: - A standby

    @Test func `a standby asks again, and streams, where its archive is away`() throws {
        let story = try Story(.newest, method: "none")
        let result = try story.run(
            "clone", ["--start": "--start --standby-port \(story.port)", "/srv/wal": "/srv/gone"])
        #expect(result.status == 0, "\(result)")
        let standby = try Cluster(running: "\(story.home)/srv/standby", story.primary.installation)
        #expect(try standby.sql("SHOW restore_command").contains("restore-wal -D"))
        try story.insert("1")
        try story.primary.waitForReplay(on: standby)
        #expect(try standby.sql("SELECT line FROM story") == "1")
        // It asks for history files when standby.signal is gone already, and must not be stopped then.
        try standby.sql("SELECT pg_promote(true, 60)")
        try eventually("the standby is a primary: \(standby.logTail)") {
            let segment = "pg_walfile_name(pg_current_wal_lsn())"
            return try standby.holds("SELECT NOT pg_is_in_recovery() AND \(segment) LIKE '00000002%'")
        }
        standby.destroy()
    }
}
