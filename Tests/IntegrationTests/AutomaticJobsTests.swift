import Foundation
import Testing
import UnderstudyTestSupport

/// `--jobs auto`: several connections where they can be used, and one where not.
@Suite(.disabled(if: isStock)) struct AutomaticJobsTests {
    /// With roles that may connect to no database, or only with a password. What a test changes is of its own role.
    private static let shared = Result {
        var options = Cluster.Options()
        options.hostBasedAuthentication =
            [
                "host replication halfway 127.0.0.1/32 trust", "host all halfway 127.0.0.1/32 scram-sha-256",
                "host all barred 127.0.0.1/32 reject", "host all,replication locked 127.0.0.1/32 scram-sha-256",
            ] + options.hostBasedAuthentication
        let cluster = try Cluster(.newest, options)
        for role in ["plain", "barred"] { try cluster.makeReplicationRole(role) }
        for role in ["locked", "halfway"] { try cluster.makeReplicationRole(role, password: "s3cr3t") }
        try cluster.sql("ALTER ROLE locked SUPERUSER")
        return cluster
    }

    private static let several = "4 connections copy", one = "the base data comes over one connection: "

    /// Takes a backup, and returns what was said.
    private func take(_ cluster: Cluster, _ arguments: [String]) throws -> String {
        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["--jobs", "auto", "-v"] + arguments)
        #expect(result.status == 0, "\(result)")
        #expect(try verify(target, of: cluster).status == 0)
        try cluster.expectReleased()
        return result.errorOutput
    }

    @Test func `a role that may not read files has one connection, and several as soon as it may`() throws {
        let cluster = try Self.shared.get()
        let first = try take(cluster, ["-U", "plain"])
        let lines = first.split(separator: "\n").map(String.init)
        let index = try #require(
            lines.firstIndex { $0.contains(Self.one + "role \"plain\" lacks privileges") }, "\(first)")
        #expect(!first.contains(Self.several))
        let grants = lines[index + 1].drop { $0 != "G" }
        try cluster.sql(String(grants))
        let second = try take(cluster, ["-U", "plain"])
        #expect(second.contains(Self.several) && !second.contains(Self.one), "\(second)")
    }

    @Test(arguments: [
        (["-U", "barred"], "pg_hba.conf rejects connection"), (["-X", "fetch"], "WAL is fetched by BASE_BACKUP alone"),
    ])
    func `a login or an option that allows one connection is named`(arguments: [String], reason: String) throws {
        let cluster = try Self.shared.get()
        let text = try take(cluster, arguments)
        #expect(text.contains(Self.one) && text.contains(reason) && !text.contains(Self.several), "\(text)")
    }

    @Test func `a password that is wrong is said once, and no reason to take one connection`() throws {
        let cluster = try Self.shared.get(), target = TestDirectory.freshPath("backup")
        let words = ["-d", cluster.connectionString(user: "halfway"), "-D", target, "-w", "-c", "fast", "-j", "auto"]
        let result = try UnderstudyProgram.start(["basebackup"] + words, environment: ["PGPASSWORD": "wrong"]).wait()
        expectRefused(result, "password authentication failed", "database name \"postgres\"")
        #expect(result.errorOutput.components(separatedBy: "authentication failed").count == 2, "\(result)")
        #expect(!result.errorOutput.contains(Self.one) && !FileTree.exists(target), "\(result)")
        // Without one, it does.
        let text = try take(cluster, ["-U", "halfway"])
        #expect(text.contains(Self.one) && text.contains("PGPASSWORD"), "\(text)")
    }

    @Test func `a name that no query can hold is found when the backup has begun, and another one begins`() throws {
        let cluster = try Cluster(.newest)
        try Program.check("/bin/sh", ["-c", "printf x > \"$0/$(printf 'n\\377')\"", cluster.directory])
        let text = try take(cluster, [])
        #expect(text.contains(Self.several) && text.contains(Self.one + "file \"n\\xff\""), "\(text)")
        try eventually("the end of the backup that was begun first") {
            try cluster.holds("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'understudy'")
        }
    }

    @Test func `a password that a file has for replication alone is asked for by the line that is missing`() throws {
        let cluster = try Self.shared.get()
        let file = TestDirectory.freshPath("pgpass"), target = TestDirectory.freshPath("backup")
        func take() throws -> ProgramResult {
            let words = [
                "-d", cluster.connectionString(user: "locked"), "-D", target, "-w", "-c", "fast", "--jobs", "2",
            ]
            return try UnderstudyProgram.start(["basebackup"] + words, environment: ["PGPASSFILE": file]).wait()
        }
        let known = "127.0.0.1:\(cluster.port):replication:locked:s3cr3t\n"
        try TestDirectory.write(known, to: file)
        let refused = try take()
        let line = "127.0.0.1:\(cluster.port):postgres:locked:"
        expectRefused(refused, "\"\(file)\"", "add the line \"\(line)PASSWORD\"")
        #expect(!refused.errorOutput.contains("s3cr3t"))
        #expect(!FileTree.exists(target))
        try TestDirectory.write("\(known)\(line)s3cr3t\n", to: file)
        let result = try take()
        #expect(result.status == 0, "\(result)")
    }
}
