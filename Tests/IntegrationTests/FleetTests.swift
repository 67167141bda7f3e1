import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Many archivers in one process, by the example of the documentation.
@Suite(.disabled(if: isStock))
struct FleetTests {
    private func threads(of program: Program) -> Int { FileTree.names("/proc/\(program.processID)/task").count }

    private func fleet(_ arguments: [String], limits: [String] = [], user: Int? = nil) throws -> Program {
        let words = user.map { ["/usr/bin/setpriv", "--reuid=\($0)", "--regid=\($0)", "--clear-groups", "--"] } ?? []
        let fleet = try UnderstudyProgram.other("UnderstudyFleetExample")
        let line = words + ["/usr/bin/prlimit"] + limits + [fleet] + arguments
        return try Program(
            line[0], Array(line.dropFirst()), environment: UnderstudyProgram.environment, asCaller: user != nil)
    }

    /// The log, in which each line names its archiver.
    private func lines(_ fleet: Program, of name: String, with text: String) -> Int {
        fleet.errorOutput.split(separator: "\n").count { $0.contains("archiver=\(name) ") && $0.contains(text) }
    }

    @Test func `a fleet leaves a server its places, waits for a slot, and leaves no slot that it cannot use`() throws {
        var options = Cluster.Options()
        options.settings = [
            "max_wal_senders = 12", "max_replication_slots = 12", "log_connections = on", "log_disconnections = on",
            "log_line_prefix = '%p '",
        ]
        let cluster = try Cluster(.newest, options)
        _ = try cluster.sql("SELECT pg_create_physical_replication_slot('spare')")
        let parent = try TestDirectory.make("fleet")
        let names = (0..<12).map { "a\($0)" }
        for name in names { try TestDirectory.make(at: "\(parent)/\(name)") }
        let fleet = try fleet((names + ["nowhere"]).flatMap { [cluster.connectionString(), "\(parent)/\($0)"] })
        func streaming() throws -> String { try cluster.sql("SELECT count(*) FROM pg_stat_replication") }
        try eventually("all but one: \(fleet.errorOutput)") {
            try streaming() == "11" && names.contains { lines(fleet, of: $0, with: "slots are in use") > 0 }
        }
        // It may be the last one whose turn comes.
        try eventually("an end without a directory: \(fleet.errorOutput)") {
            lines(fleet, of: "nowhere", with: "archiver has ended: could not open directory") == 1
        }
        #expect(try cluster.holds("SELECT count(*) = 0 FROM pg_replication_slots WHERE slot_name = 'nowhere'"))
        _ = try cluster.sql("SELECT pg_drop_replication_slot('spare')")
        try eventually("all: \(fleet.errorOutput)") { try streaming() == "12" }
        // What only SQL tells was asked for each, and no connection stays for that.
        try eventually("no ordinary connection") {
            try cluster.holds(
                """
                SELECT count(*) = 0 FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND application_name = 'understudy'
                """)
        }
        fleet.send(SIGTERM)
        #expect(fleet.wait().status == 0)
        var open: Set<Substring> = [], most = 0, count = 0
        for line in cluster.logText.split(separator: "\n") {
            let process = line.prefix { $0 != " " }
            if line.contains("connection authorized: "), line.contains("database=postgres application_name=understudy")
            {
                open.insert(process)
                count += 1
            } else if line.contains("disconnection: ") {
                open.remove(process)
            }
            most = max(most, open.count)
        }
        // The server notices the end of one a little later.
        #expect(count > 0 && most <= 2, "\(count), \(most) at a time")
    }

    @Test(.enabled(if: Account.isRoot, "limits are set for a user who has no other process, by root"))
    func `a fleet that is short of threads and descriptors goes on, and waits for them`() throws {
        let parent = try TestDirectory.make("fleet", mode: 0o755), port = try Port.free()
        let names = (0..<40).map { "a\($0)" }
        let fleet = try fleet(
            names.flatMap { ["host=127.0.0.1 port=\(port) user=r", "\(parent)/\($0)"] },
            limits: ["--nofile=64", "--nproc=30:500"], user: 909_998)
        try eventually("a shortage: \(fleet.errorOutput)") {
            guard fleet.isRunning else { throw SupportError("ended too early: \(fleet.wait())") }
            return fleet.errorOutput.contains("could not start thread")
        }
        try Program.check(
            "/usr/bin/setpriv",
            [
                "--reuid=909998", "--regid=909998", "--clear-groups", "--", "/usr/bin/prlimit",
                "--pid=\(fleet.processID)", "--nproc=400:500",
            ], asCaller: true)
        try eventually("an attempt of each: \(fleet.errorOutput)") {
            names.allSatisfy { lines(fleet, of: $0, with: "Connection refused") > 0 }
        }
        fleet.send(SIGTERM)
        let result = fleet.wait()
        #expect(
            result.status == 0 && result.output.components(separatedBy: "has ended in order").count == 41, "\(result)")
    }

    @Test func `a fleet says how it is called, and refuses two of a name without a crash`() throws {
        for (arguments, status, text) in [
            ([], 1, "usage: "), (["--help"], 0, "usage: "), (["host=a"], 1, "usage: "),
            (["host=a", "/x/a", "host=b", "/y/a"], 1, "group has an archiver \"a\" already"),
        ] as [([String], Int32, String)] {
            let result = try Program.run(
                UnderstudyProgram.other("UnderstudyFleetExample"), arguments, environment: UnderstudyProgram.environment
            )
            #expect(result.status == status && (result.output + result.errorOutput).contains(text), "\(result)")
        }
    }

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
