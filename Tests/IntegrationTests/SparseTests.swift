import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Files with holes on the server: it sends them, and counts them, at their full length.
@Suite(.disabled(if: isStock))
struct SparseTests {
    /// A cluster with a table whose file ends in a hole. To the server it is full of pages that are new.
    ///
    /// - Returns: The path of that file beneath the data directory.
    private static func holeyCluster(megabytes: Int) throws -> (Cluster, file: String) {
        let cluster = try Cluster(.newest)
        try cluster.sql("CREATE TABLE holey AS SELECT i FROM generate_series(1, 1000) i; CHECKPOINT")
        let file = try cluster.sql("SELECT pg_relation_filepath('holey')")
        // SAFETY: the string is lent for the call.
        guard unsafe truncate("\(cluster.directory)/\(file)", off_t(megabytes) << 20) == 0 else {
            throw SupportError("could not lengthen \"\(file)\": errno \(errno)")
        }
        return (cluster, file)
    }

    @Test(arguments: Command.allCases)
    func `holes take room, unless --sparse leaves them, and are verified`(command: Command) throws {
        let (cluster, file) = try Self.holeyCluster(megabytes: 48)
        let (full, sparse) = (TestDirectory.freshPathOnDisk("full"), TestDirectory.freshPathOnDisk("sparse"))
        for (target, more) in [(full, []), (sparse, ["--sparse"])] {
            let result = try UnderstudyProgram.run(command.arguments(cluster.connectionString(), target) + more)
            try #require(result.status == 0, "\(result)")
            #expect(try same(FileTree.bytes("\(target)/\(file)"), FileTree.bytes("\(cluster.directory)/\(file)")))
        }
        #expect(try FileTree.allocated("\(full)/\(file)") >= 48 << 20)
        #expect(try FileTree.allocated("\(sparse)/\(file)") < 2 << 20)
        if command == .basebackup {
            let verified = try verify(sparse, of: cluster)
            #expect(verified.status == 0, "\(verified)")
        }
        let copy = try Cluster(copy: sparse, of: cluster)
        defer { copy.destroy() }
        try copy.start()
        #expect(try cluster.differences(from: copy) == [])
    }

    @Test(
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"), arguments: Command.allCases)
    func `a disk too small for the holes is large enough with --sparse`(command: Command) throws {
        let (cluster, file) = try Self.holeyCluster(megabytes: 64)
        let disk = try MountedFileSystem(.small(bytes: 80 << 20))
        let arguments = command.arguments(cluster.connectionString(), "\(disk.path)/target")
        expectRefused(try UnderstudyProgram.run(arguments), "not enough room for the backup in \"\(disk.path)/target\"")
        #expect(FileTree.names(disk.path) == [])
        let result = try UnderstudyProgram.run(arguments + ["--sparse"])
        #expect(result.status == 0, "\(result)")
        #expect(
            result.errorOutput.contains(
                "warning: not enough room for the backup in \"\(disk.path)/target\", unless holes make it smaller"),
            "\(result)")
        #expect(result.errorOutput.contains("It counts holes at their full length."), "\(result)")
        #expect(
            try same(
                FileTree.bytes("\(disk.path)/target/\(file)"), FileTree.bytes("\(cluster.directory)/\(file)")))
    }
}
