import Glibc
import Testing
import UnderstudyTestSupport

/// What a run that is ended early still sends to its server.
@Suite(.disabled(if: isStock || PostgresInstallation.withTLS.isEmpty, "needs a server with TLS"))
struct CancelRequestTests {
    @Test(arguments: [("prefer", 1), ("require", 0), ("verify-full", 0)])
    func `a cancel request goes out in clear text only where that is allowed`(mode: String, requests: Int) throws {
        let certificates = try TestCertificates(roles: [])
        var options = Cluster.Options()
        options.settings = [
            "ssl = on", "ssl_cert_file = '\(certificates.path("server.crt"))'",
            "ssl_key_file = '\(certificates.path("server.key"))'",
        ]
        let primary = try Cluster(try #require(PostgresInstallation.withTLS.last), options)
        try Workload.prepare(primary, scale: 2)
        let proxy = try NetworkProxy(to: primary.port)
        let connection =
            primary.connectionString(port: proxy.port)
            + " sslmode=\(mode) sslrootcert=\(certificates.path("ca.crt"))"
        let program = try UnderstudyProgram.start(
            Command.basebackup.arguments(connection, TestDirectory.freshPath("target")) + ["--checkpoint=spread"])
        try primary.waitUntilCheckpointing(program)
        let before = proxy.accepted
        program.send(SIGTERM)
        let result = program.wait()
        #expect(result.status == 1, "\(result)")
        #expect(before > 0 && proxy.accepted - before == requests, "\(result)")
    }
}
