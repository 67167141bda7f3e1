import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// What a clone does with directories, logs and files of keys.
@Suite(.disabled(if: isStock)) struct CloneFileTests {
    @Test(
        .enabled(if: MountedFileSystem.isAllowed, "needs to mount a file system"),
        arguments: [[], ["-X", "fetch"], ["--waldir"]])
    func `a file system that is mounted on pg_wal is taken, and given back`(more: [String]) throws {
        let primary = try Cluster(.newest)
        let target = try TestDirectory.make("standby"), wal = "\(target)/pg_wal"
        try TestDirectory.make(at: wal)
        let mounted = try MountedFileSystem(.small(bytes: 64 << 20), on: wal)
        let before = FileTree.snapshot(target)
        // With what mkfs(8) makes it is not empty, and no other place may be named.
        if more == [] {
            try TestDirectory.make(at: "\(wal)/lost+found")
            expectRefused(
                try basebackup(primary, to: target, more), "On \"\(wal)\" a file system is mounted",
                "rmdir \(wal)/lost+found")
            try FileManager.default.removeItem(atPath: "\(wal)/lost+found")
        }
        if more == ["--waldir"] {
            let other = TestDirectory.freshPath("wal")
            expectRefused(try basebackup(primary, to: target, more + [other]), "exists but is not empty")
            #expect(FileTree.snapshot(target) == before)
            return
        }
        try primary.makeForeignFile("slow", String(repeating: "x", count: 1 << 20))
        let program = try startBasebackup(primary, to: target, more + ["-r", "1M"])
        try primary.waitUntilCopying(program)
        program.send(SIGINT)
        #expect(program.wait().status == 1)
        #expect(FileTree.snapshot(target) == before)
        // What a killed run has left there goes with all else.
        let killed = try startBasebackup(primary, to: target, more + ["-r", "1M"])
        try primary.waitUntilCopying(killed)
        killed.send(SIGKILL)
        _ = killed.wait()
        let result = try basebackup(primary, to: target, more + ["--force-clean"])
        try #require(result.status == 0, "\(result)")
        #expect(try verify(target, of: primary).status == 0)
        #expect(FileTree.names(wal).contains { $0.count == 24 })
        let copy = try Cluster(copy: target, of: primary)
        try copy.start()
        #expect(try copy.differences(from: primary) == [])
        try copy.stop()
        withExtendedLifetime(mounted) {}
    }

    @Test(arguments: [nil, "journal/of the server", "base"])
    func `server logs can be left out, and nothing else is`(place: String?) throws {
        var options = Cluster.Options()
        if let place { options.settings = ["log_directory = '\(place)'"] }
        let primary = try Cluster(.newest, options)
        try primary.makeReplicationRole("r")
        let logs = place == "base" ? "log" : place ?? "log"
        try Program.check("/bin/mkdir", ["-p", "\(primary.directory)/\(logs)/kept"])
        // A directory of logs may hold other files, too.
        let others = ["\(logs)/kept/b", "\(logs)/server.key", "\(logs)/extra.conf"]
        for name in ["\(logs)/a.log", "\(logs)/b.json.1", "current_logfiles"] + others {
            try primary.makeForeignFile(name, "# said")
        }
        let target = TestDirectory.freshPath("standby")
        let result = try UnderstudyProgram.run(
            Command.clone.arguments(primary.connectionString(user: "r"), target)
                + [
                    "--no-server-logs", "--start", "--bin-dir", primary.installation.programs, "--standby-port",
                    String(Port.free()),
                ])
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(running: target, primary.installation)
        try primary.waitForReplay(on: standby)
        #expect(try standby.differences(from: primary) == [])
        // Where the server's own files are, nothing is removed, whatever the setting says.
        #expect(FileTree.exists("\(target)/\(logs)/a.log") == (place == "base"))
        #expect(FileTree.exists("\(target)/\(logs)/b.json.1") == (place == "base"))
        for name in others { #expect(FileTree.exists("\(target)/\(name)"), "\(name)") }
        #expect(result.errorOutput.contains(place == "base" ? "no log files were left out" : "left out 2 log files"))
        #expect(!FileTree.exists("\(target)/current_logfiles"))
        // The manifest tells what the server sent.
        #expect(try FileTree.text("\(target)/backup_manifest").contains("\(logs)/a.log"))
    }

    @Test func `files of the connection have their whole path in the standby's settings`() throws {
        let primary = try Cluster(.newest), target = TestDirectory.freshPath("standby")
        let result = try UnderstudyProgram.run(
            Command.clone.arguments(primary.connectionString() + " sslrootcert=its/root.crt", target))
        try #require(result.status == 0, "\(result)")
        let settings = try FileTree.text("\(target)/postgresql.auto.conf")
        #expect(settings.contains("sslrootcert=''\(TestDirectory.root)/its/root.crt''"), "\(settings)")
    }

    @Test(.enabled(if: Account.isRoot, "needs another user"))
    func `a key that the standby's user could not read is refused before the copy`() throws {
        let primary = try Cluster(.newest)
        let key = "\(TestDirectory.freshPath("key"))"
        try Program.check("/bin/sh", ["-c", "umask 077; echo x > '\(key)'"], asCaller: true)
        let target = TestDirectory.freshPath("standby")
        let result = try Program.run(
            UnderstudyProgram.path,
            Command.clone.arguments(primary.connectionString() + " sslkey=\(key)", target) + ["--owner", "postgres"],
            environment: UnderstudyProgram.environment, asCaller: true)
        expectRefused(
            result, "user \"postgres\" may not read \"\(key)\", so the standby could not log in",
            "install -o postgres -m 600 \(key) FILE")
        // Nor a configuration, nor a directory for the password file.
        let closed = TestDirectory.freshPath("closed")
        try Program.check("/bin/mkdir", ["-m", "700", closed], asCaller: true)
        for (more, said) in [
            (["--config-file", key], "user \"postgres\" could not open file \"\(key)\""),
            (["--passfile", "\(closed)/file"], "user \"postgres\" may not enter directory \"\(closed)\""),
        ] {
            let result = try Program.run(
                UnderstudyProgram.path,
                Command.clone.arguments(primary.connectionString(), target) + ["--owner", "postgres"] + more,
                environment: UnderstudyProgram.environment, asCaller: true)
            expectRefused(result, said)
        }
        try FileManager.default.removeItem(atPath: closed)
        #expect(!FileTree.exists(target))
        try FileManager.default.removeItem(atPath: key)
    }
}
