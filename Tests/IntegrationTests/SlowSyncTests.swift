import Glibc
import Testing
import UnderstudyTestSupport

/// A disk that takes its time for each file: strace(1) delays the calls.
@Suite(.disabled(if: isStock), .enabled(if: DiskFault.canInject, "strace cannot trace here"))
struct SlowSyncTests {
    @Test(arguments: [SIGTERM, SIGINT])
    func `a signal while files are synced one by one ends the run with the file at hand`(signal: Int32) throws {
        let cluster = try Cluster(.newest)
        let parent = try TestDirectory.make("parent")
        let trace = TestDirectory.freshPath("trace")
        // With -D the program is our child, and strace is not.
        let program = try Program(
            "/usr/bin/strace",
            [
                "-D", "-f", "-qq", "-y", "-o", trace, "-e", "trace=fsync", "-e", "inject=fsync:delay_exit=100000",
                UnderstudyProgram.path,
            ] + Command.basebackup.arguments(cluster.connectionString(), "\(parent)/target")
                + ["--sync-method", "fsync"], environment: UnderstudyProgram.environment)
        func syncs() throws -> Int {
            try FileTree.text(trace).split(separator: "\n").count { $0.contains("fsync(") && $0.contains("/base/") }
        }
        try eventually("syncs of files: \(program.errorOutput)") {
            try #require(program.isRunning)
            return try FileTree.exists(trace) && syncs() >= 5
        }
        program.send(signal)
        let result = program.wait()
        #expect(result.status == 1, "\(result)")
        #expect(FileTree.names(parent) == [], "\(result)")
        // The server sends some thousand files, and a batch may hold 340 of them.
        #expect(try syncs() < 100)
        try cluster.expectReleased()
    }
}
