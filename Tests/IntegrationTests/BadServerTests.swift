import Foundation
import Testing
import UnderstudyTestSupport

/// Servers that cannot be reached, or that do not let us in, or cannot serve a backup.
@Suite(.disabled(if: isStock)) struct BadServerTests {
    /// Each pair once for every version.
    static let cases = PostgresInstallation.outermost.flatMap { installation in
        Command.allCases.map { (installation, $0) }
    }

    private static let rules = [
        "host all,replication secretive 127.0.0.1/32 scram-sha-256", "host all,replication plain 127.0.0.1/32 trust",
        "host all,replication postgres 127.0.0.1/32 trust",
    ]

    /// Runs the command against a connection that fails; nothing may be left of it.
    private func expectFailure(
        _ command: Command, _ connection: String, _ words: String..., of cluster: Cluster? = nil,
        arguments: [String] = []
    ) throws {
        let parent = try TestDirectory.make("parent")
        let result = try UnderstudyProgram.run(command.arguments(connection, "\(parent)/target") + arguments)
        expectRefused(result)
        for word in words { #expect(result.errorOutput.contains(word), "\(result)") }
        #expect(!(result.output + result.errorOutput).contains("wrong-secret"), "\(result)")
        #expect(FileTree.names(parent) == [])
        try cluster?.expectReleased()
    }

    @Test(arguments: Command.allCases)
    func `a port where nobody listens is refused`(command: Command) throws {
        let port = try Port.free()
        try expectFailure(command, "host=127.0.0.1 user=r port=\(port)", "Connection refused", String(port))
    }

    @Test(arguments: Command.allCases)
    func `a host name that does not exist is refused`(command: Command) throws {
        try expectFailure(command, "host=no-such-host.invalid user=r", "no-such-host.invalid")
    }

    @Test(arguments: Command.allCases)
    func `a server that never answers is given up after connect_timeout`(command: Command) throws {
        // The kernel accepts the connection; nobody ever reads from it.
        let listener = try Program(
            "/usr/bin/python3",
            [
                "-c",
                "import socket, signal; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen();"
                    + "print(s.getsockname()[1], flush=True); signal.pause()",
            ])
        try eventually("a listener: \(listener.errorOutput)") { listener.output.hasSuffix("\n") }
        let port = listener.output.dropLast()
        try expectFailure(command, "host=127.0.0.1 user=r port=\(port) connect_timeout=2", "timeout expired")
    }

    @Test(arguments: cases)
    func `a login that the server refuses leaves nothing`(
        installation: PostgresInstallation, command: Command
    ) throws {
        var options = Cluster.Options()
        options.hostBasedAuthentication = Self.rules
        let cluster = try Cluster(installation, options)
        try cluster.makeReplicationRole("secretive", password: "right-secret")
        try cluster.makeReplicationRole("stranger")
        try cluster.sql("CREATE ROLE plain LOGIN")

        let secretive = cluster.connectionString(user: "secretive")
        try expectFailure(
            command, secretive + " password=wrong-secret", "password authentication failed for user \"secretive\"",
            of: cluster)
        try expectFailure(command, secretive, "no password supplied", of: cluster)
        try expectFailure(
            command, cluster.connectionString(user: "stranger"), "no pg_hba.conf entry", "stranger", "replication",
            of: cluster)
        try expectFailure(command, cluster.connectionString(user: "plain"), "ALTER ROLE", "REPLICATION", of: cluster)
        try expectFailure(
            command, cluster.connectionString(user: "nobody"), "nobody", of: cluster)
    }

    @Test(arguments: cases)
    func `a server without WAL senders is refused`(installation: PostgresInstallation, command: Command) throws {
        var options = Cluster.Options()
        options.settings = ["wal_level = minimal", "max_wal_senders = 0"]
        let cluster = try Cluster(installation, options)
        try expectFailure(command, cluster.connectionString(), "max_wal_senders", "wal_level", of: cluster)
    }

    @Test(arguments: cases)
    func `a server with one WAL sender, where two are needed, is refused`(
        installation: PostgresInstallation, command: Command
    ) throws {
        var options = Cluster.Options()
        options.settings = ["max_wal_senders = 1"]
        let cluster = try Cluster(installation, options)
        try expectFailure(command, cluster.connectionString(), "max_wal_senders", of: cluster)
    }

    @Test(arguments: cases)
    func `a server without a free replication slot is refused`(
        installation: PostgresInstallation, command: Command
    ) throws {
        var options = Cluster.Options()
        options.settings = ["max_replication_slots = 0"]
        let cluster = try Cluster(installation, options)
        try expectFailure(command, cluster.connectionString(), "max_replication_slots", of: cluster)
    }

    @Test(arguments: ["31", "1048577", "fast", "-5", "32x"])
    func `a rate that the server would refuse is refused beforehand`(rate: String) throws {
        let target = TestDirectory.freshPath("target")
        let result = try UnderstudyProgram.run(
            Command.basebackup.arguments("host=127.0.0.1 port=\(Port.free())", target) + ["-r", rate])
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("error: "), "\(result)")
        #expect(!FileTree.exists(target))
    }

    @Test(arguments: [["-F", "tar"], ["-z"], ["-Z", "gzip"], ["-t", "blackhole"], ["-i", "/m"], []])
    func `what is not there yet is refused clearly`(arguments: [String]) throws {
        let target = TestDirectory.freshPath("target")
        let result = try UnderstudyProgram.run(
            // Without an option: to standard output.
            Command.basebackup.arguments("host=127.0.0.1 port=\(Port.free())", arguments.isEmpty ? "-" : target)
                + arguments)
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("error: "), "\(result)")
        #expect(!FileTree.exists(target))
    }
}
