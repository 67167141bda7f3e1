import Foundation
import Glibc
import Testing
import Understudy
import UnderstudyTestSupport

/// Base backups as archives in a directory: `basebackup -F t`.
@Suite struct TarFormatTests {
    @Test(arguments: PostgresInstallation.all)
    func `archives hold what the plain format does, and start as a standby`(installation: PostgresInstallation) throws {
        try compare(installation, "stream")
    }

    @Test func `so they do with the WAL among the server's own files`() throws {
        try compare(.newest, "fetch")
    }

    private func compare(_ installation: PostgresInstallation, _ method: String) throws {
        let primary = try Cluster(installation)
        _ = try primary.makeTablespace("space")
        try primary.sql("CREATE TABLE far TABLESPACE space AS SELECT generate_series(1, 1000) AS n; CHECKPOINT")
        let identifier = try primary.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'space'")
        let archives = TestDirectory.freshPath("archives"), plain = TestDirectory.freshPath("plain")
        let space = TestDirectory.freshPath("space")
        let place = try primary.sql("SELECT pg_tablespace_location(\(identifier))")
        let result = try basebackup(primary, to: archives, ["-F", "t", "-X", method, "-R"])
        try #require(result.status == 0, "\(result)")
        let wal = method == "stream" ? ["pg_wal.tar"] : []
        #expect(FileTree.names(archives) == ["\(identifier).tar", "backup_manifest", "base.tar"] + wal)
        let other = try basebackup(primary, to: plain, ["-X", method, "-R", "-T", "\(place)=\(space)"])
        try #require(other.status == 0, "\(other)")

        let target = TestDirectory.freshPath("standby")
        try extractBackup(archives, to: target)
        #expect(names(target, without: identifier) == names(plain, without: identifier))
        #expect(
            FileTree.snapshot("\(target)/space-\(identifier)").map(Self.nameAndMode)
                == FileTree.snapshot(space).map(Self.nameAndMode))
        #expect(try FileTree.text("\(target)/tablespace_map") == "\(identifier) \(place)\n")
        let settings = try FileTree.text("\(target)/postgresql.auto.conf")
        #expect(settings == (try FileTree.text("\(plain)/postgresql.auto.conf")))
        #expect(settings.contains("primary_conninfo"))

        _ = try moveTablespace(of: target, named: identifier)
        let standby = try Cluster(copy: target, of: primary)
        try standby.start()
        try primary.sql("INSERT INTO far SELECT 0")
        try primary.waitForReplay(on: standby)
        #expect(try primary.differences(from: standby) == [])
    }

    /// Name and mode of an entry in a snapshot.
    private static func nameAndMode(_ line: String) -> String {
        line.split(separator: " ").prefix(2).joined(separator: " ")
    }

    /// What lies in a copy, but for what differs between any two backups.
    private func names(_ target: String, without identifier: String) -> [String] {
        FileTree.snapshot(target).map(Self.nameAndMode).filter { line in
            !["pg_wal/0", "archive_status/0", "space-", "tablespace_map", "pg_tblspc/\(identifier)"].contains {
                line.contains($0)
            }
        }
    }

    @Test(arguments: PostgresInstallation.all.filter { $0.major >= 18 })
    func `the stock tool verifies archives`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        _ = try cluster.makeTablespace("space")
        let archives = TestDirectory.freshPath("archives")
        let result = try basebackup(cluster, to: archives, ["-F", "t"])
        try #require(result.status == 0, "\(result)")
        // It cannot read the WAL of archives.
        let verdict = try verify(archives, of: cluster, ["-F", "t", "-n"])
        #expect(verdict.status == 0, "\(verdict)")
    }

    @Test func `recovery settings that replace a server's own files are written once`() throws {
        let primary = try Cluster(.newest)
        let first = TestDirectory.freshPath("standby")
        try #require(try basebackup(primary, to: first, ["-R"]).status == 0)
        let standby = try Cluster(copy: first, of: primary)
        try standby.start()
        // The server is a standby itself: it sends standby.signal, which its manifest lists.
        let archives = TestDirectory.freshPath("archives")
        let result = try basebackup(standby, to: archives, ["-F", "t", "-R"])
        try #require(result.status == 0, "\(result)")
        let list = try members(of: "\(archives)/base.tar")
        #expect(list.filter { $0 == "standby.signal" }.count == 1)
        #expect(list.filter { $0 == "postgresql.auto.conf" }.count == 1)
        #expect(list.first == "backup_label")
        let target = TestDirectory.freshPath("copy")
        try extractBackup(archives, to: target)
        let settings = try FileTree.text("\(target)/postgresql.auto.conf")
        #expect(settings.contains("port=\(standby.port)"), "\(settings)")
    }

    @Test func `a run that fails or is killed leaves nothing that looks whole`() throws {
        let cluster = try Cluster(.newest)
        try cluster.sql("CREATE TABLE big AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
        let target = TestDirectory.freshPath("archives")
        for signal in [SIGTERM, SIGKILL] {
            let run = try startBasebackup(cluster, to: target, ["-F", "t", "-r", "1M"])
            // The server begins to copy before there is anything here.
            try eventually("an archive: \(run.errorOutput)") { FileTree.exists("\(target)/base.tar.tmp") }
            run.send(signal)
            let result = run.wait()
            #expect(result.status != 0, "\(result)")
            if signal == SIGTERM {
                #expect(!FileTree.exists(target), "\(result)")
            } else {
                #expect(!FileTree.names(target).contains { $0.hasSuffix(".tar") || $0 == "backup_manifest" })
            }
        }
        let refused = try basebackup(cluster, to: target, ["-F", "t"])
        expectRefused(refused, "force-clean")
        let result = try basebackup(cluster, to: target, ["-F", "t", "--force-clean"])
        #expect(result.status == 0, "\(result)")
        #expect(FileTree.names(target) == ["backup_manifest", "base.tar", "pg_wal.tar"])
        try cluster.expectReleased()
    }

    // MARK: - Standard output

    /// Runs `basebackup -D - -F t` in a shell's line.
    ///
    /// - Parameter line: `"$@"` stands for the program with its arguments.
    private func stream(_ cluster: Cluster, _ line: String, _ arguments: [String] = []) throws -> Program {
        try Program(
            "/bin/sh",
            [
                "-c", line, "sh", UnderstudyProgram.path, "basebackup", "-d", cluster.connectionString(), "-D", "-",
                "-F", "t",
            ]
                + ["-w", "-c", "fast"] + arguments, environment: UnderstudyProgram.environment)
    }

    @Test(arguments: PostgresInstallation.all)
    func `standard output gets one archive, with the WAL, that starts`(installation: PostgresInstallation) throws {
        let primary = try Cluster(installation)
        try primary.sql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        let place = try TestDirectory.make("stream")
        defer { TestDirectory.removeTree(place) }
        // A pipe, as into another program.
        let result = try stream(primary, "\"$@\" | cat > \(place)/backup.tar", ["-R", "-v"]).wait()
        // WAL that waits without a name does not survive a crash, so that it is not reported as flushed.
        #expect(result.errorOutput.contains(" is not moved while the copy is not complete"), "\(result)")
        try #require(result.errorOutput.contains("base backup completed"), "\(result)")
        let members = try members(of: "\(place)/backup.tar")
        #expect(members.first == "backup_label")
        #expect(members.suffix(2) == ["global/pg_control", "backup_manifest"])
        #expect(members.contains { $0.hasPrefix("pg_wal/0") })
        #expect(Set(members).count == members.count)

        let target = TestDirectory.freshPath("standby")
        try TestDirectory.make(at: target)
        let extracted = try Program.run("/usr/bin/tar", ["-xpf", "\(place)/backup.tar", "-C", target])
        #expect(extracted.status == 0 && extracted.errorOutput.isEmpty, "\(extracted)")
        // The settings were added behind the manifest's back.
        let verdict = try verify(target, of: primary, ["-i", "postgresql.auto.conf", "-i", "standby.signal"])
        #expect(verdict.status == 0, "\(verdict)")
        let standby = try Cluster(copy: target, of: primary)
        try standby.start()
        try primary.sql("INSERT INTO t SELECT 0")
        try primary.waitForReplay(on: standby)
        #expect(try primary.differences(from: standby) == [])
    }

    @Test func `without a manifest the control file comes last`() throws {
        let cluster = try Cluster(.newest)
        let place = try TestDirectory.make("stream")
        defer { TestDirectory.removeTree(place) }
        let line = "exec \"$@\" > \(place)/backup.tar"
        let result = try stream(cluster, line, ["--no-manifest", "--spool-directory", place]).wait()
        try #require(result.status == 0, "\(result)")
        let members = try members(of: "\(place)/backup.tar")
        #expect(members.last == "global/pg_control")
        #expect(members.filter { $0 == "global/pg_control" }.count == 1)
        #expect(members.contains { $0.hasPrefix("pg_wal/0") })
        // What waited has no name.
        #expect(FileTree.names(place) == ["backup.tar"])
    }

    @Test func `a reader that ends early is an error, and one that does not read stops no signal`() throws {
        let cluster = try Cluster(.newest)
        try cluster.sql("CREATE TABLE big AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
        let place = try TestDirectory.make("stream")
        defer { TestDirectory.removeTree(place) }
        let early = try stream(
            cluster, "{ \"$@\"; echo $? > \(place)/status; } | head -c 100000 > /dev/null"
        ).wait()
        #expect(try FileTree.text("\(place)/status") == "1\n", "\(early)")
        #expect(early.errorOutput.contains("could not write to \"standard output\": Broken pipe"), "\(early)")

        let pipe = "\(place)/pipe"
        #expect(unsafe mkfifo(pipe, 0o666) == 0)
        // mkfifo(3) takes the umask's bits away, and the program runs as another user.
        #expect(unsafe chmod(pipe, 0o666) == 0)
        let reader = unsafe open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        defer { close(reader) }
        let run = try stream(cluster, "exec \"$@\" > \(pipe)")
        try cluster.waitUntilCopying(run)
        run.send(SIGTERM)
        let ended = run.wait()
        #expect(ended.status == 1, "\(ended)")
        try cluster.expectReleased()
    }

    /// A connection or a file must not get the number of a stream that is closed.
    @Test(arguments: [">&-", "<&- >&-", "<&- >&- 2>&-"])
    func `what is closed is not written to, and nothing else in its place`(closed: String) throws {
        let cluster = try Cluster(.newest)
        let place = try TestDirectory.make("stream")
        defer { TestDirectory.removeTree(place) }
        let target = TestDirectory.freshPath("backup")
        let line = "\"$@\" \(closed); echo $? > \(place)/status; "
        let again = "\"$1\" basebackup -d '\(cluster.connectionString())' -D \(target) -w -c fast -v -P \(closed)"
        let result = try stream(cluster, line + again, ["-v", "-P"]).wait()
        #expect(try FileTree.text("\(place)/status") == "1\n", "\(result)")
        if !closed.contains("2>") {
            #expect(
                result.errorOutput.contains("could not write to \"standard output\": Bad file descriptor"), "\(result)")
        }
        #expect(result.status == 0, "\(result)")
        #expect(try verify(target, of: cluster).status == 0)
    }

    @Test func `a database with tablespaces does not fit into one archive`() throws {
        let cluster = try Cluster(.newest)
        _ = try cluster.makeTablespace("space")
        let result = try stream(cluster, "exec \"$@\" > /dev/null").wait()
        expectRefused(result, "can only write single tablespace to stdout, database has 2")
    }

    /// The played server sends a file that its manifest does not list; without a manifest, bytes behind its archive.
    @Test(arguments: [PlayedServer.Version.v12, .v16])
    func `an archive that is not verified has no end`(version: PlayedServer.Version) async throws {
        for isFalse in [false, true] {
            var played = PlayedServer(version)
            try played.removeTablespace()
            if isFalse, version.hasManifest {
                played.archives[0] = TarBuilder.file("unlisted", [1]) + played.archives[0]
            } else if isFalse {
                played.archives[0] += [UInt8](repeating: 7, count: 512)
            }
            let server = try played.serve()
            let path = TestDirectory.freshPath("stream")
            let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            defer { close(file) }
            var backup = BaseBackup(
                source: "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable")
            backup.options.wal = .fetch
            let error: UnderstudyError?
            do throws(UnderstudyError) {
                _ = try await backup.run(into: .tarStream(file))
                error = nil
            } catch let failure { error = failure }
            #expect((error != nil) == isFalse, "\(error as Any)")
            let bytes = try FileTree.bytes(path)
            #expect((bytes.count > 1024 && bytes.suffix(1024).allSatisfy { $0 == 0 }) != isFalse)
            #expect(bytes.contains(Array("global/pg_control\0".utf8)) != isFalse)
            #expect(bytes.contains(Array("backup_manifest\0".utf8)) == (!isFalse && version.hasManifest))
        }
    }

    @Test func `a directory for the WAL is of the plain format`() throws {
        let result = try UnderstudyProgram.run(["basebackup", "-D", "d", "-F", "t", "--waldir", "/w"])
        expectRefused(result, "WAL directory location can only be specified in plain mode")
    }
}

extension PlayedServer {
    /// Leaves only the data directory.
    mutating func removeTablespace() throws {
        try removeLink()
        tablespaces.removeFirst()
        archives.removeFirst()
        archiveNames.removeFirst()
        manifest = Self.manifest(Self.files(of: version).filter { !$0.path.hasPrefix("pg_tblspc") })
    }
}
