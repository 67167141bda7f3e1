import Testing
import UnderstudyTestSupport

/// Files of the primary that have names which a run needs for itself.
@Suite struct ForeignNameTests {
    @Test(.disabled(if: isStock), arguments: PostgresInstallation.outermost)
    func `a file of the primary has whatever name it has, and arrives as it is`(
        installation: PostgresInstallation
    ) throws {
        let primary = try Cluster(installation)
        let names = ["backup_manifest.tmp", "start.log", "start.1.log"]
        for name in names { try primary.makeForeignFile(name, "of \(name)\n") }
        let target = TestDirectory.freshPath("standby")
        let result = try UnderstudyProgram.run(
            Command.clone.arguments(primary.connectionString(), target)
                + ["--start", "--standby-port", String(Port.free()), "--bin-dir", installation.programs])
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(running: target, installation)
        for name in names { #expect(try FileTree.text("\(target)/\(name)") == "of \(name)\n") }
        #expect(FileTree.exists("\(target)/backup_manifest") && FileTree.exists("\(target).start.log"))
        #expect(!FileTree.exists("\(target)/start.2.log"))
        #expect(try standby.holds("SELECT pg_is_in_recovery()"))
        // The stock tool checks every file against the manifest.
        let backup = TestDirectory.freshPath("backup")
        #expect(try basebackup(primary, to: backup, []).status == 0)
        #expect(try verify(backup, of: primary).status == 0)
    }
}
