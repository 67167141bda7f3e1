import UnderstudyConfiguration
package import UnderstudyConnection
import UnderstudyProtocol

/// What a server refused: a login, or a command.
extension UnderstudyError {
    /// Stands before what a server says of its own files and objects, which otherwise would seem to be ours.
    package static let serverMark = "the server says: "
    /// Stands before a hint of the server.
    package static let serverHint = "The server says: "

    /// A login that the server refused. The hint contains the line or statement that allows it, if there is one.
    ///
    /// - Parameter database: Of an ordinary connection; nil for one of replication.
    package init(refused error: ConnectionError, database: String? = nil) {
        let text = error.server?.message ?? error.message
        var code = Code.authentication
        var hint: String?
        switch error.sqlState {
        case "28P01":
            let role = LoginHint.identifier(error.user ?? text.quotedParts.first)
            hint =
                "Check the password in the connection string, PGPASSWORD or ~/.pgpass (database name \"\(database ?? "replication")\"). Whether there is such a role, the server does not tell: to make it, on the primary: CREATE ROLE \(role) WITH REPLICATION LOGIN PASSWORD '...'; or to give it this password: ALTER ROLE \(role) WITH PASSWORD '...'; which also mends one that was stored with password_encryption = md5 where pg_hba.conf wants scram-sha-256."
        case "28000" where KnownText.hostRules.stands(in: text):
            let login = LoginHint(text, user: error.user)
            hint =
                "Put the line \"\(login.line(for: database))\" at the top of pg_hba.conf on the primary (SHOW hba_file; names it), then: SELECT pg_reload_conf();"
                + login.oldPassword + login.doubt(error.ownAddress)
        case "28000" where !KnownText.missingRole.stands(in: text):
            hint =
                "The line of pg_hba.conf on the primary that matches this connection asks for a proof that was not given: connect in another way, as another user, or change its method."
        case "28000":
            hint =
                "Make the role on the primary: CREATE ROLE \(LoginHint.identifier(error.user ?? text.quotedParts.first)) WITH REPLICATION LOGIN PASSWORD '...';"
        case "42501" where database != nil:
            hint =
                "Give the role the right, as a superuser: GRANT CONNECT ON DATABASE \(SQLText.identifier(database ?? "")) TO \(LoginHint.identifier(error.user));"
        case "42501":
            hint = LoginHint.allowReplication(error.user)
        case "08P01" where KnownText.pooler.stands(in: text), "3D000" where KnownText.pooler.stands(in: text):
            hint =
                "A connection pooler answers there, and it passes on no replication connections: name the host and port of PostgreSQL itself."
        case "53300":
            code = .server
            hint =
                KnownText.maxWALSenders.stands(in: text)
                ? WALSendersInUse.hint(error, nil)
                : error.isLimitOfRole
                    ? "Let the role have more connections at once, on the primary: ALTER ROLE \(LoginHint.identifier(error.user)) CONNECTION LIMIT -1; which takes the limit away, or a number in its place."
                    : KnownText.connectionsOfDatabase.stands(in: text)
                        ? "Let the database take more connections, on the primary: ALTER DATABASE \(LoginHint.identifier(database ?? text.quotedParts.first)) CONNECTION LIMIT -1; or name another one with dbname in the connection string."
                        : "End connections that are not needed: SELECT pid, usename, application_name, state FROM pg_stat_activity; or raise max_connections on the primary (restart needed)."
        case "57P03":
            code = .connection
            hint = "The server is starting up or shutting down; try again when it accepts connections."
        default: break
        }
        self.init(code, error.message, hint: hint, sqlState: error.sqlState)
    }

    /// Whether the server refused a login because its role has as many connections as it may.
    package var isLimitOfRole: Bool { (cause as? ConnectionError)?.isLimitOfRole == true }

    static let wrongPeer: Remedy =
        "A server of its version knows this command: connect to PostgreSQL itself, not to a pooler or a fork with another protocol."

    init(server error: ConnectionError, of command: Code, slot: String?) {
        var code = command
        var hint: Remedy?
        let version = error.serverVersion
        switch error.sqlState {
        case "42710":
            code = .slot
            hint = "Choose another name, or use the slot that exists, with \(.existingSlot)."
        case "42704" where command == .slot || command == .wal:
            code = .slot
            let slot = slot ?? Self.slotName(in: error)
            hint =
                "Let it be made with \(.createSlot(slot)), or make it on the primary: \(SlotSQL.create(slot ?? "NAME", on: version))"
        case "55006":
            code = .slot
            hint = Remedy(SlotInUse.hint(slot ?? Self.slotName(in: error), version))
        case "53400" where KnownText.temporaryFileLimit.stands(in: error.message):
            hint =
                "Let the role use more room for temporary files, as a superuser: ALTER ROLE \(LoginHint.identifier(error.user)) SET temp_file_limit = -1;"
        case "53400":
            code = .slot
            hint = Remedy(PrimaryHint.raiseSlots(version?.number))
        case "53300":
            hint = Remedy(WALSendersInUse.hint(error, version))
        // The message about WAL that was removed quotes no file, in any language.
        case "58P01" where error.message.quotedParts.isEmpty:
            hint = Remedy(PrimaryHint.keepWAL(version?.number))
        case "42501" where command == .server, "58P01", "58030":
            hint =
                "That is the server's: its log says more. What it may not or cannot read in its data directory has to be mended there, or moved elsewhere if it is not its own."
        case "55000" where KnownText.maxReplicationSlots.stands(in: error.message):
            code = .slot
            hint = Remedy(PrimaryHint.raiseSlots(version?.number))
        case "55000" where KnownText.walLevel.stands(in: error.message):
            hint = Remedy(PrimaryHint.raiseWALLevel(version?.number))
        case "XX001":
            code = .damagedPages
        case "42601", "0A000":
            hint = Self.wrongPeer
        // Up to 17 the server gives these errors no SQLSTATE of their own.
        case "XX000", "54000":
            if KnownText.fileNameTooLong.stands(in: error.message) {
                hint =
                    "Rename or remove that file on the primary: paths in a base backup have at most 99 bytes."
            } else if KnownText.invalidSegmentNumber.stands(in: error.message) {
                hint =
                    "The file that the server names is none of its own, though its name looks like it: move it out of the data directory of the primary, or leave page checksums unverified: \(.noPageChecksums)"
            } else if KnownText.noSQL.stands(in: error.message) {
                hint = Self.wrongPeer
            } else if command == .wal {
                hint =
                    "Make sure that both connections reach the same server, without a load balancer in between, and that it was not switched over meanwhile."
            }
        default: break
        }
        self.init(
            code, "\(error.server == nil ? "" : Self.serverMark)\(error.message)", remedy: hint,
            sqlState: error.sqlState)
    }

    /// The slot that the server's message quotes; nil if that cannot be a slot's name.
    private static func slotName(in error: ConnectionError) -> String? {
        (error.server?.message ?? error.message).quotedParts.first.flatMap {
            NameLimits.flaw(ofSlot: $0) == nil ? $0 : nil
        }
    }
}

extension ConnectionError {
    /// Whether a login was refused because its role has as many connections as it may: the server quotes the role.
    ///
    /// Source: InitializeSessionUserId, miscinit.c.
    fileprivate var isLimitOfRole: Bool {
        guard sqlState == "53300", let user, let text = server?.message else { return false }
        return text.quotedParts == [user] && !KnownText.connectionsOfDatabase.stands(in: text)
    }
}
