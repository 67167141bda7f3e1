import CUnderstudyPQ
import Glibc

/// How a server keeps a password.
package enum PasswordKind: String, Sendable {
    case md5
    /// From 10.
    case scram = "scram-sha-256"

    /// The one that a role's `rolpassword` has; nil for none that is known.
    package init?(ofVerifier text: String) {
        if text.hasPrefix("SCRAM-SHA-256$") {
            self = .scram
        } else if text.hasPrefix("md5"), text.utf8.count == 35 {
            self = .md5
        } else {
            return nil
        }
    }
}

extension Session {
    /// Makes of a password what a server keeps of it, here, so that the password itself is never sent: what comes is for
    /// `CREATE ROLE … PASSWORD`. By SCRAM it is another text each time.
    ///
    /// Source: PQencryptPasswordConn.
    package func verifier(
        of password: String, role: String, _ kind: PasswordKind
    ) throws(ConnectionError) -> String {
        // Both strings and the word outlive the call, which asks the server nothing, since the kind is given.
        guard let text = unsafe PQencryptPasswordConn(connection, password, role, kind.rawValue) else {
            throw lost("could not encrypt the password")
        }
        defer { unsafe PQfreemem(text) }
        return unsafe String(cString: text)
    }

    /// Whether a verifier, as the server keeps it, is that of a password.
    package func isVerifier(_ verifier: String, of password: String, role: String) throws(ConnectionError) -> Bool {
        switch PasswordKind(ofVerifier: verifier) {
        case .md5: try self.verifier(of: password, role: role, .md5) == verifier
        case .scram: SCRAMVerifier(verifier)?.isOf(password) ?? false
        case nil: false
        }
    }
}
