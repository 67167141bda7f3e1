import Testing
import UnderstudyTestSupport

/// A disk that takes longer than the server's silenceLimit.
@Suite(
    .disabled(if: isStock), .enabled(if: DiskFault.canInject, "strace cannot trace here"))
struct ReceivewalSlowDiskTests {
    @Test(arguments: [[], ["--synchronous"]])
    func `a sync that lasts longer than the server's time-out does not cost the connection`(
        options: [String]
    ) throws {
        let cluster = try Cluster.keepingWAL(.newest, ["wal_sender_timeout = 6s"])
        let archive = try WALArchive()
        let trace = TestDirectory.freshPath("trace")
        // With -D the program is our child, and strace is not.
        let program = try Program(
            "/usr/bin/strace",
            [
                "-D", "-f", "-qq", "-o", trace, "-e", "trace=fdatasync,pwritev2", "-e",
                "inject=fdatasync,pwritev2:delay_enter=15000000:when=4", UnderstudyProgram.path, "receivewal", "-d",
                cluster.connectionString(), "-D", archive.path, "-w", "-v",
            ] + options, environment: UnderstudyProgram.environment)
        try cluster.waitForStream(program)
        let sender = try cluster.sql("SELECT pid FROM pg_stat_replication")
        try eventually("a slow sync: \(program.errorOutput)") {
            try cluster.writeWAL(kilobytes: 32)
            try cluster.waitForFlush(of: try cluster.position(), program)
            return try FileTree.text(trace).contains("(DELAYED)")
        }
        #expect(try cluster.sql("SELECT pid FROM pg_stat_replication") == sender)
        let result = program.stop()
        #expect(result.status == 0 && !result.errorOutput.contains("disconnected"), "\(result)")
    }
}
