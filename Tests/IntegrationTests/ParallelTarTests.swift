import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Base backups over several ordinary connections, as archives.
@Suite(.disabled(if: isStock)) struct ParallelTarTests {
    private static let jobs = ["-F", "t", "--jobs", "3"]

    /// A cluster with a file that is cut into pieces, and a tablespace.
    private func makeCluster(_ installation: PostgresInstallation) throws -> (cluster: Cluster, tablespace: String) {
        var options = Cluster.Options()
        // The load goes on behind the end of a backup, until that is on the disk.
        options.settings = ["wal_keep_size = 2GB"]
        let cluster = try Cluster(installation, options)
        _ = try cluster.makeTablespace("space")
        try cluster.sql("CREATE TABLE large AS SELECT i, repeat('x', 900) FROM generate_series(1, 20000) i; CHECKPOINT")
        return (cluster, try cluster.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'space'"))
    }

    /// Expects that each member comes once, behind the directory that holds it.
    private func expectOrder(_ members: [String], sourceLocation: SourceLocation = #_sourceLocation) {
        var directories: Set<Substring> = []
        for member in members {
            let path = member.hasSuffix("/") ? member.dropLast() : member[...]
            if let slash = path.lastIndex(of: "/") {
                #expect(directories.contains(path[..<slash]), "\(member)", sourceLocation: sourceLocation)
            }
            if member.hasSuffix("/") { directories.insert(path) }
        }
        #expect(Set(members).count == members.count, sourceLocation: sourceLocation)
    }

    @Test(arguments: PostgresInstallation.all.filter { [15, 18].contains($0.major) })
    func `archives are what the stock tools read and verify, and a standby starts from them`(
        installation: PostgresInstallation
    ) throws {
        let (primary, tablespace) = try makeCluster(installation)
        for (specification, suffix) in installation.major == 15
            ? [("none", ""), ("gzip", ".gz")] : [("zstd", ".zst"), ("lz4", ".lz4")]
        {
            let archives = TestDirectory.freshPath("archives")
            let load = try startLoad(primary)
            let result = try basebackup(
                primary, to: archives, Self.jobs + ["-R", "-Z", specification, "--manifest-checksums", "SHA256", "-v"])
            load.send(SIGKILL)
            _ = load.wait()
            try #require(result.status == 0, "\(result)")
            #expect(
                FileTree.names(archives) == [
                    "\(tablespace).tar\(suffix)", "backup_manifest", "base.tar\(suffix)", "pg_wal.tar\(suffix)",
                ])
            let base = try members(of: "\(archives)/base.tar\(suffix)")
            expectOrder(base)
            expectOrder(try members(of: "\(archives)/\(tablespace).tar\(suffix)"))
            let last = ["backup_label", "tablespace_map", "global/pg_control"]
            #expect(base.filter { last.contains($0) } == last)
            #expect(base.last == "standby.signal")
            if installation.major >= 18 {
                // It cannot read the WAL of archives.
                let verdict = try verify(archives, of: primary, ["-n"])
                #expect(verdict.status == 0, "\(verdict)")
            }

            let target = TestDirectory.freshPath("standby")
            try extractBackup(archives, to: target)
            let space = try moveTablespace(of: target, named: tablespace)
            try FileManager.default.createSymbolicLink(
                atPath: "\(target)/pg_tblspc/\(tablespace)", withDestinationPath: space)
            let verdict = try verify(
                target, of: primary, ["-i", "postgresql.auto.conf", "-i", "standby.signal", "-i", "tablespace_map"])
            #expect(verdict.status == 0, "\(verdict)")
            let standby = try Cluster(copy: target, of: primary)
            try standby.start()
            try primary.waitForReplay(on: standby)
            #expect(try primary.differences(from: standby) == [])
            try standby.stop()
        }
    }

    /// What makes, truncates and removes files meanwhile; its pauses only bound how much WAL that makes.
    private func startLoad(_ primary: Cluster) throws -> Program {
        let load = """
            SELECT 'CREATE TABLE grown AS SELECT n, repeat(''y'', 900) FROM generate_series(1, 1000) n',
                'DELETE FROM grown WHERE n > 100', 'VACUUM grown', 'UPDATE in_space SET i = i + 1', 'VACUUM FULL in_space',
                'CHECKPOINT', 'DROP TABLE grown', 'SELECT pg_sleep(0.3)'
            FROM generate_series(1, 1000) i \\gexec
            """
        return try Program(
            primary.installation.program("psql"),
            [
                "-X", "-q", "-h", primary.socketDirectory, "-p", String(primary.port), "-U", "postgres", "-d",
                "postgres",
            ], input: load)
    }

    @Test func `standard output gets one archive, with all that belongs into it`() throws {
        let primary = try Cluster(.newest)
        try primary.sql("CREATE TABLE large AS SELECT i, repeat('x', 900) FROM generate_series(1, 20000) i")
        // A name that the header's field does not hold, which GNU tar reads, and pg_verifybackup does not.
        let directory = "\(primary.directory)/\(String(repeating: "d", count: 90))"
        try TestDirectory.make(at: directory)
        try TestDirectory.write("deep", to: "\(directory)/\(String(repeating: "f", count: 60))")
        try TestDirectory.write("", to: "\(directory)/empty")
        let archive = TestDirectory.freshPath("archive") + ".gz"
        let words = [
            "basebackup", "-d", primary.connectionString(), "-D", "-", "-c", "fast", "-Z", "gzip", "-F", "t", "--jobs",
            "auto",
        ]
        let result = try Program(
            "/bin/sh", ["-c", "exec \"$@\" > \(archive)", "sh", UnderstudyProgram.path] + words,
            environment: UnderstudyProgram.environment
        ).wait()
        try #require(result.status == 0, "\(result)")
        let members = try members(of: archive)
        expectOrder(members)
        #expect(members.suffix(2) == ["global/pg_control", "backup_manifest"])
        let target = TestDirectory.freshPath("target")
        try extractArchive(archive, to: target)
        let verdict = try verify(target, of: primary)
        #expect(verdict.status == 0, "\(verdict)")
    }

    @Test func `a connection that breaks costs a piece, and a signal leaves nothing`() throws {
        let (cluster, _) = try makeCluster(.newest)
        let archives = TestDirectory.freshPath("archives")
        let first = try startBasebackup(cluster, to: archives, Self.jobs + ["-r", "8M"])
        try eventually("connections that copy") {
            guard first.isRunning else { throw SupportError("ended too early: \(first.wait())") }
            return try cluster.holds(
                "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE application_name = 'understudy' AND query LIKE 'COPY%pg_read_binary_file%'"
            )
        }
        let result = first.wait()
        try #require(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("goes on over another connection"), "\(result)")
        let verdict = try verify(archives, of: cluster, ["-n"])
        #expect(verdict.status == 0 || cluster.installation.major < 18, "\(verdict)")

        let second = TestDirectory.freshPath("archives")
        let ended = try startBasebackup(cluster, to: second, Self.jobs + ["-r", "2M"])
        try eventually("an archive: \(ended.errorOutput)") { FileTree.exists("\(second)/base.tar.tmp") }
        ended.send(SIGTERM)
        #expect(ended.wait().status != 0)
        #expect(!FileTree.exists(second))
        try cluster.expectReleased()
    }
}
