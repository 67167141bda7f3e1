import Foundation
import Testing
import UnderstudyTestSupport

/// Pages that are damaged.
@Suite(.disabled(if: isStock)) struct DamageTests {
    @Test(arguments: PostgresInstallation.outermost, Command.allCases)
    func `a damaged page fails the run, and the copy is kept`(
        installation: PostgresInstallation, command: Command
    ) throws {
        let cluster = try damaged(installation)
        let target = TestDirectory.freshPath("target")
        let result = try UnderstudyProgram.run(command.arguments(cluster.connectionString(), target))
        expectRefused(result, "checksum", hint: false)
        #expect(FileTree.exists("\(target)/global/pg_control"), "\(result)")
        try cluster.expectReleased()
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `--no-verify-checksums copies a damaged page as it is`(installation: PostgresInstallation) throws {
        let cluster = try damaged(installation)
        let target = TestDirectory.freshPath("target")
        let result = try UnderstudyProgram.run(
            Command.basebackup.arguments(cluster.connectionString(), target) + ["--no-verify-checksums"])
        #expect(result.status == 0, "\(result)")
        #expect(try verify(target, of: cluster).status == 0)
    }

    @Test func `pages that come over several connections are verified here`() throws {
        let cluster = try damaged(.newest)
        let target = TestDirectory.freshPath("target")
        let arguments = Command.basebackup.arguments(cluster.connectionString(), target) + ["--jobs", "2"]
        let result = try UnderstudyProgram.run(arguments)
        let path = try cluster.sql("SELECT pg_relation_filepath('t')")
        expectRefused(result, "server has 1 damaged page", "\"\(path)\" (page 1)")
        #expect(FileTree.exists("\(target)/global/pg_control"), "\(result)")
        try cluster.expectReleased()
        TestDirectory.removeTree(target)
        let unverified = try UnderstudyProgram.run(arguments + ["--no-verify-checksums"])
        #expect(unverified.status == 0, "\(unverified)")
        #expect(try verify(target, of: cluster).status == 0)
    }

    /// A cluster with one byte of a table's second page changed behind its back.
    private func damaged(_ installation: PostgresInstallation) throws -> Cluster {
        let cluster = try Cluster(installation)
        try cluster.sql("CREATE TABLE t AS SELECT i FROM generate_series(1, 10000) i; CHECKPOINT")
        let path = try cluster.directory + "/" + cluster.sql("SELECT pg_relation_filepath('t')")
        try cluster.stop()
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        // In the rows at the page's end, so that its header, by which the server judges whether to check it, is sound.
        try file.seek(toOffset: 8192 + 8000)
        let byte = try #require(try file.read(upToCount: 1)?.first)
        try file.seek(toOffset: 8192 + 8000)
        try file.write(contentsOf: Data([byte ^ 0xff]))
        try file.close()
        try cluster.start()
        return cluster
    }
}
