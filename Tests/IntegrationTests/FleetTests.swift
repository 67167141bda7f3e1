import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Many archivers in one process, by the example of the documentation.
@Suite(.disabled(if: isStock))
struct FleetTests {
    private func threads(of program: Program) -> Int { FileTree.names("/proc/\(program.processID)/task").count }

    @Test(.enabled(if: MountedFileSystem.can(.disk("ext4", megabytes: 64)), "no ext4 can be mounted here"))
    func `a file system that hangs holds up those who write to it, and no others`() throws {
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        options.settings = ["max_wal_senders = 28", "max_replication_slots = 28", "wal_sender_timeout = 6s"]
        let cluster = try Cluster(.newest, options)
        let hanging = try MountedFileSystem(.disk("ext4", megabytes: 256))
        let parent = try TestDirectory.make("fleet")
        // More of them hang than a lane has threads.
        let directories = try (0..<24).map { number in
            let path = number < 18 ? "\(hanging.path)/hanging\(number)" : "\(parent)/other\(number)"
            try TestDirectory.make(at: path)
            return path
        }
        let fleet = try Program(
            UnderstudyProgram.other("UnderstudyFleetExample"),
            directories.flatMap { [cluster.connectionString(), $0] }, environment: UnderstudyProgram.environment)
        /// How many of them have acknowledged everything.
        func flushed(_ names: String, _ position: String) throws -> Int {
            guard fleet.isRunning else { throw SupportError("ended too early: \(fleet.wait())") }
            let count = try cluster.sql(
                """
                SELECT count(*) FROM pg_replication_slots JOIN pg_stat_replication ON active_pid = pid
                WHERE slot_name LIKE '\(names)%' AND flush_lsn >= '\(position)'
                """)
            return try #require(Int(count))
        }
        try cluster.writeWAL(kilobytes: 1500)
        let first = try cluster.position()
        try eventually("all: \(fleet.output)") { try flushed("", first) == 24 }
        let senders = try cluster.sql("SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_replication")
        var second = first
        try hanging.whileFrozen {
            // Each of those that hang has segments to finish and to prepare.
            try cluster.writeWAL(kilobytes: 6000)
            second = try cluster.position()
            try eventually("the others") { try flushed("other", second) == 6 }
            #expect(try flushed("hanging", second) == 0)
            // One of each archiver, at most 16 for each of the two file systems, and what the process has besides: two for
            // the server, timers, and Swift's own.
            #expect(threads(of: fleet) <= 24 + 16 + 16 + 2 + 1 + 8)
            // Nor do those that hang lose their connection: they go on answering.
            let reply = try cluster.sql("SELECT max(reply_time) FROM pg_stat_replication")
            try eventually("answers") {
                try cluster.holds("SELECT min(reply_time) > '\(reply)' FROM pg_stat_replication")
            }
        }
        try eventually("all again: \(fleet.output)") { try flushed("", second) == 24 }
        #expect(
            try cluster.sql("SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_replication") == senders)
        fleet.send(SIGTERM)
        let result = fleet.wait()
        #expect(
            result.status == 0 && result.output.components(separatedBy: "has ended in order").count == 25, "\(result)")
        for directory in [directories[0], directories[18]] {
            #expect(try WALArchive(at: directory).differences(from: cluster) == [])
            #expect(try WALArchive(at: directory).segments.count >= 5)
        }
    }
}
