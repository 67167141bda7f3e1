import Testing
import UnderstudyTestSupport

/// Several hosts in one connection string: a primary and its standby, the standby named first.
@Suite(.disabled(if: isStock)) struct HostListTests {
    /// What is asked for, and which of the two serves it.
    private static let attributes = [
        ("any", "standby"), ("read-write", "primary"), ("primary", "primary"), ("read-only", "standby"),
        ("standby", "standby"), ("prefer-standby", "standby"),
    ]

    private static func pair(_ installation: PostgresInstallation) throws -> (primary: Cluster, standby: Cluster) {
        let primary = try Cluster(installation)
        let target = TestDirectory.freshPath("standby")
        let result = try basebackup(primary, to: target, ["-R"])
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(copy: target, of: primary)
        try standby.start()
        try primary.waitForReplay(on: standby)
        return (primary, standby)
    }

    private func connection(_ ports: [Int], _ attributes: String) -> String {
        "host=\(ports.map { _ in "127.0.0.1" }.joined(separator: ",")) "
            + "port=\(ports.map(String.init).joined(separator: ",")) user=postgres target_session_attrs=\(attributes)"
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `the backup comes from the kind of server that is asked for`(installation: PostgresInstallation) throws {
        let (primary, standby) = try Self.pair(installation)
        let nobody = try Port.free()
        for (attributes, server) in Self.attributes {
            let target = TestDirectory.freshPath("target")
            let source = connection([nobody, standby.port, primary.port], attributes)
            let result = try UnderstudyProgram.run(Command.basebackup.arguments(source, target))
            #expect(result.status == 0, "\(attributes): \(result)")
            let label = try FileTree.text("\(target)/backup_label")
            #expect(label.contains("BACKUP FROM: \(server)\n"), "\(attributes): \(label)")
            let verified = try verify(target, of: primary)
            #expect(verified.status == 0, "\(verified)")
        }
        #expect(try primary.slots() == [])
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `where no server is of that kind, the message says so`(installation: PostgresInstallation) throws {
        let (primary, standby) = try Self.pair(installation)
        for (ports, attributes) in [([standby.port], "read-write"), ([primary.port, primary.port], "standby")] {
            let target = TestDirectory.freshPath("target")
            let result = try UnderstudyProgram.run(
                Command.basebackup.arguments(connection(ports, attributes), target))
            expectRefused(result, "Name a server of the kind that target_session_attrs asks for")
            #expect(!FileTree.exists(target))
        }
    }

    @Test func `a clone follows the primary, and its standby is told all hosts`() throws {
        let (primary, standby) = try Self.pair(.newest)
        defer { standby.destroy() }
        let target = TestDirectory.freshPath("target")
        let source = connection([standby.port, primary.port], "read-write")
        let result = try UnderstudyProgram.run(Command.clone.arguments(source, target))
        #expect(result.status == 0, "\(result)")
        #expect(try primary.slots() == [Command.clone.slot])
        let settings = try FileTree.text("\(target)/postgresql.auto.conf")
        #expect(settings.contains("port=''\(standby.port),\(primary.port)''"), "\(settings)")
        let copy = try Cluster(copy: target, of: primary)
        try copy.start()
        try primary.waitForReplay(on: copy)
    }
}
