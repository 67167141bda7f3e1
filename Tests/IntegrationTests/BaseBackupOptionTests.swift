import Foundation
import Testing
import UnderstudyTestSupport

@Suite struct BaseBackupOptionTests {
    @Test(arguments: PostgresInstallation.outermost)
    func `-T moves a tablespace, and --waldir the WAL`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        let space = try cluster.makeTablespace("space")
        let identifier = try cluster.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'space'")
        let target = TestDirectory.freshPath("backup")
        let (mapped, wal) = (TestDirectory.freshPath("mapped=space"), TestDirectory.freshPath("wal"))
        let escaped = mapped.replacing("=", with: "\\=")
        let result = try basebackup(cluster, to: target, ["-T", "\(space)=\(escaped)", "--waldir", wal])
        try #require(result.status == 0, "\(result)")
        #expect(try FileTree.linkTarget("\(target)/pg_tblspc/\(identifier)") == mapped)
        #expect(try FileTree.linkTarget("\(target)/pg_wal") == wal)
        #expect(FileTree.names(wal).contains { $0.count == 24 })
        #expect(try verify(target, of: cluster).status == 0)
        let copy = try Cluster(copy: target, of: cluster)
        try copy.start()
        #expect(try cluster.differences(from: copy) == [])
    }

    @Test func `an empty target that exists is used`() throws {
        let cluster = try Cluster(.newest)
        let target = try TestDirectory.make("backup")
        let result = try basebackup(cluster, to: target, [])
        #expect(result.status == 0, "\(result)")
        #expect(try verify(target, of: cluster).status == 0)
    }

    @Test(arguments: ["none", "crc32c", "sha224", "SHA256", "sha384", "sha512"])
    func `--manifest-checksums names the algorithm of the manifest`(algorithm: String) throws {
        let cluster = try Cluster(.newest)
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["--manifest-checksums", algorithm])
        try #require(result.status == 0, "\(result)")
        let manifest = try FileTree.text("\(target)/backup_manifest")
        #expect(manifest.contains("\"\(algorithm.uppercased())\"") == (algorithm != "none"))
        let verdict = try verify(target, of: cluster)
        #expect(verdict.status == 0, "\(verdict)")
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `--manifest-force-encode has all names encoded`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["--manifest-force-encode"])
        try #require(result.status == 0, "\(result)")
        let manifest = try FileTree.text("\(target)/backup_manifest")
        #expect(manifest.contains("\"Encoded-Path\"") && !manifest.contains("\"Path\""))
        #expect(try verify(target, of: cluster).status == 0)
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `names that are not UTF-8 arrive byte by byte`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        // Swift's strings cannot hold this name, the shell's can.
        try Program.check("/bin/bash", ["-c", #"printf odd > "$0/"$'caf\xe9 \x01'"#, cluster.directory])
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, [])
        try #require(result.status == 0, "\(result)")
        #expect(try Program.check("/bin/bash", ["-c", #"cat "$0/"$'caf\xe9 \x01'"#, target]).output == "odd")
        let verdict = try verify(target, of: cluster)
        #expect(verdict.status == 0, "\(verdict)")
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `--no-manifest makes none`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["--no-manifest", "--no-slot", "--no-sync"])
        try #require(result.status == 0, "\(result)")
        #expect(!FileTree.exists("\(target)/backup_manifest"))
        let copy = try Cluster(copy: target, of: cluster)
        try copy.start()
        #expect(try cluster.differences(from: copy) == [])
    }

    @Test func `-l is the label in backup_label`() throws {
        let cluster = try Cluster(.newest)
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(
            cluster, to: target, ["-l", #"it's "nightly""#, "-r", "200M", "--no-estimate-size"])
        try #require(result.status == 0, "\(result)")
        #expect(try FileTree.text("\(target)/backup_label").contains("LABEL: it's \"nightly\"\n"))
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `-v tells the steps in the stock tool's words and order`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["-v", "-P"])
        try #require(result.status == 0, "\(result)")
        let steps = [
            "initiating base backup, waiting for checkpoint to complete", "checkpoint completed",
            "write-ahead log start point: ", "starting background WAL receiver",
            "write-ahead log end point: ",
            "waiting for background process to finish streaming ...", "syncing data to disk ...",
            "renaming backup_manifest.tmp to backup_manifest", "base backup completed",
        ]
        var rest = result.errorOutput[...]
        for step in steps {
            let range = try #require(rest.range(of: step), "\(step) is missing or out of order in \(result)")
            rest = rest[range.upperBound...]
        }
        // The slot may be made sooner than the stock tool does: WAL is held from there on.
        #expect(result.errorOutput.contains("created temporary replication slot \""), "\(result)")
        let label = try FileTree.text("\(target)/backup_label")
        let start = try #require(label.firstMatch(of: /START WAL LOCATION: ([0-9A-F\/]+)/)?.1)
        #expect(result.errorOutput.contains(": write-ahead log start point: \(start) on timeline 1\n"), "\(result)")
        #expect(result.errorOutput.contains("(100%), 1/1 tablespace"), "\(result)")
        #expect(result.output == "")
    }

    @Test func `parents of the target are made`() throws {
        let cluster = try Cluster(.newest)
        let parent = try TestDirectory.make("parent")
        let target = "\(parent)/one/two/backup"
        let result = try basebackup(cluster, to: target, [])
        #expect(result.status == 0, "\(result)")
        #expect(try verify(target, of: cluster).status == 0)
    }
}
