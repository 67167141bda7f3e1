/// A certification authority, and what it has signed; made for one test run.
package final class TestCertificates: Sendable {
    package let directory: String

    /// Makes `ca`, `other` (a stranger's authority), `server` for 127.0.0.1, `expired` for the same, and client
    /// certificates for the roles given: `NAME.crt` and `NAME.key`, each key for its owner only.
    package init(roles: [String]) throws {
        directory = try TestDirectory.make("certificates", mode: 0o755)
        for name in ["ca", "other"] {
            try openssl(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=\(name)"
                    + " -keyout \(name).key -out \(name).crt")
        }
        try TestDirectory.write("subjectAltName=IP:127.0.0.1\n", to: "\(directory)/server.ext")
        try sign("server", subject: "127.0.0.1", "-extfile \(directory)/server.ext")
        try sign("expired", subject: "127.0.0.1", "-extfile \(directory)/server.ext", days: -1)
        for role in roles { try sign(role, subject: role) }
    }

    package func path(_ name: String) -> String { "\(directory)/\(name)" }

    private func sign(_ name: String, subject: String, _ options: String = "", days: Int = 2) throws {
        try openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=\(subject)"
                + " -keyout \(name).key -out \(name).csr")
        try openssl(
            "x509 -req -in \(name).csr -CA ca.crt -CAkey ca.key -CAcreateserial -days \(days) \(options) -out \(name).crt"
        )
    }

    package func openssl(_ command: String) throws {
        let words = command.split(separator: " ").map { word in
            // Names of files are those of the directory.
            word.contains(".") && !word.contains("/") && !word.contains("=") ? path(String(word)) : String(word)
        }
        try Program.check("/usr/bin/openssl", words)
    }
}

extension PostgresInstallation {
    /// Those whose server can speak TLS.
    package static let withTLS = all.filter { installation in
        let libraries = try? Program.run("/usr/bin/ldd", [installation.program("postgres")])
        return libraries?.output.contains("libssl") ?? false
    }
}
