import Testing
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyConnection

/// Servers before 14 refuse what libpq asks their WAL senders for target_session_attrs.
@Suite("target_session_attrs")
struct HostChoiceTests {

    /// Connects to a list of the servers for replication.
    private func connect(
        _ servers: [ScriptedServer], _ attribute: String, _ more: String = ""
    ) throws -> Result<Session, ConnectionError> {
        let ports = servers.map { String($0.port) }.joined(separator: ",")
        let hosts = servers.map { _ in "127.0.0.1" }.joined(separator: ",")
        let parameters = try ConnectionParameters(
            "host=\(hosts) port=\(ports) user=r sslmode=disable gssencmode=disable target_session_attrs=\(attribute) \(more)"
        )
        return Result { () throws(ConnectionError) in
            try Session.connect(parameters, kind: .replication, applicationName: "understudy", interrupt: Interrupt())
        }
    }

    /// The index of the server that a list leads to.
    private func chosen(_ list: [OldServer], _ attribute: String) throws -> Int? {
        let servers = try list.map { try $0.serve() }
        let session = try connect(servers, attribute).get()
        // Whatever was asked elsewhere, it is a replication connection that stands at the end.
        let index = servers.firstIndex { String($0.port) == session.port }
        #expect(index.map { servers[$0].logins.last?.isReplication } == true)
        return index
    }

    @Test(
        "is found out over an ordinary connection where a WAL sender does not tell",
        arguments: ["9.3.25", "9.6.24", "10.23", "11.22", "13.14", "14.1", "18.0"],
        ["read-write", "read-only", "primary", "standby", "prefer-standby", "any"])
    func kinds(version: String, attribute: String) throws {
        let wantsStandby = ["read-only", "standby", "prefer-standby"].contains(attribute)
        let list = [OldServer.primary(version), .standby(version)]
        #expect(try chosen(list, attribute) == (wantsStandby ? 1 : 0))
        #expect(try chosen(list.reversed(), attribute) == (attribute == "any" || wantsStandby ? 0 : 1))
    }

    @Test(
        "keeps the order of a list, in which servers may be of any age",
        arguments: [
            ([OldServer.standby("11.2"), .standby("11.2")], "standby", 0),
            ([.standby("11.2"), .standby("15.1")], "standby", 0), ([.primary("11.2"), .standby("15.1")], "standby", 1),
            ([.primary("15.1"), .standby("9.6.2")], "standby", 1),
            ([.primary("15.1"), .primary("9.6.2")], "primary", 0),
            ([.standby("15.1"), .primary("9.6.2"), .primary("15.1")], "read-write", 1),
            ([.primary("9.6.2"), .primary("15.1"), .standby("13.1")], "prefer-standby", 2),
            // Nobody is a standby: then the first one will do.
            ([.primary("13.1"), .primary("15.1")], "prefer-standby", 0),
            ([.primary("15.1"), .primary("9.6.1")], "prefer-standby", 0),
            // A server that starts up is passed over, one that refuses is not.
            ([.primary("11.2").with { $0.isStarting = true }, .primary("11.2")], "primary", 1),
        ])
    func order(_ list: [OldServer], _ attribute: String, _ index: Int) throws {
        #expect(try chosen(list, attribute) == index)
    }

    @Test(
        "makes no ordinary connection where the WAL sender tells",
        arguments: [
            ("15.1", "primary"), ("14.0", "read-write"), ("13.1", "read-write"), ("10.1", "read-write"),
            ("13.1", "any"),
            ("9.6.1", "any"),
        ])
    func replicationOnly(_ version: String, _ attribute: String) throws {
        let server = try OldServer.primary(version).with { $0.ordinary = .refused }.serve()
        _ = try connect([server], attribute).get()
        #expect(server.logins.count == 1)
        #expect(server.logins.map(\.isReplication) == [true])
    }

    @Test("passes over hosts that are down")
    func down() throws {
        let server = try OldServer.primary("11.1").serve(), gone = try Port.free()
        let parameters = try ConnectionParameters(
            "host=127.0.0.1,127.0.0.1 port=\(gone),\(server.port) user=r sslmode=disable gssencmode=disable "
                + "target_session_attrs=primary")
        let session = try Session.connect(
            parameters, kind: .replication, applicationName: "understudy", interrupt: Interrupt())
        #expect(session.port == String(server.port))
        // The standby is told all that was given, not the host that was found.
        let given = ConnectionParameters(session.givenSettings)
        #expect(given["port"] == "\(gone),\(server.port)")
        #expect(given["host"] == "127.0.0.1,127.0.0.1")
        #expect(given["target_session_attrs"] == "primary")
    }

    @Test(
        "that nobody fits says so of each host",
        arguments: [
            ([OldServer.standby("11.1"), .standby("15.1")], "primary", "server is in hot standby mode"),
            ([.standby("9.6.1"), .standby("11.1")], "read-write", "session is read-only"),
            ([.primary("15.1"), .primary("15.1")], "standby", "server is not in hot standby mode"),
            ([.primary("9.6.1"), .primary("15.1")], "read-only", "session is not read-only"),
        ])
    func none(_ list: [OldServer], _ attribute: String, _ words: String) throws {
        let servers = try list.map { try $0.serve() }
        let result = try connect(servers, attribute)
        guard case .failure(let error) = result else {
            Issue.record("connected")
            return
        }
        #expect(error.code == .unsuitable)
        for server in servers {
            #expect(
                error.message.contains("server at \"127.0.0.1\", port \(server.port) failed: \(words)"), "\(error)")
        }
    }

    @Test(
        "cannot be checked without an ordinary connection, and that is said",
        arguments: [
            (OldServer.Ordinary.refused, "9.6.2", "no pg_hba.conf entry"), (.refused, "13.1", "no pg_hba.conf entry"),
            (.failing, "13.1", "out of memory"),
        ])
    func unknown(_ ordinary: OldServer.Ordinary, _ version: String, _ words: String) throws {
        let server = try OldServer.primary(version).with { $0.ordinary = ordinary }.serve()
        let other = try OldServer.primary(version).serve()
        let result = try connect([server, other], "primary")
        guard case .failure(let error) = result else {
            Issue.record("connected")
            return
        }
        #expect(error.code == .kindUnknown)
        #expect(
            error.message.hasPrefix(
                "could not check target_session_attrs=primary of server at \"127.0.0.1\", port \(server.port): "
                    + "server version \(version) "), "\(error)")
        #expect(error.message.contains(words), "\(error)")
    }

    @Test("is found out with the password that the replication connection used")
    func password() throws {
        let server = try OldServer.primary("11.1").with { $0.wantsPassword = true }.serve()
        let passfile = try TestDirectory.make("pass") + "/file"
        try TestDirectory.write("127.0.0.1:\(server.port):replication:r:secret\n", to: passfile)
        let session = try connect([server], "primary", "passfile=\(passfile)").get()
        // The server takes the last one while we go on.
        try eventually("four passwords") { server.passwords.count == 4 }
        #expect(server.passwords == ["secret", "secret", "secret", "secret"])
        #expect(
            server.logins.map { $0.parameters["database"] } == [
                "replication", "replication", "postgres", "replication",
            ])
        #expect(session.password == "secret")
    }
}
