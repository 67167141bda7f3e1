import Glibc
import UnderstudyPlatform

/// The texts of servers and of libpq on which decisions rest, because no SQLSTATE and no type tells the same.
///
/// This is the only list of them. A server writes in the language of its lc_messages, which only a superuser may change
/// for a session, and libpq in that of this process; so most of these match English alone. A decision must be safe when
/// none matches: then it takes the more general case of the same SQLSTATE or code.
package struct KnownText: Sendable, Equatable {
    private enum Place {
        case anywhere, start, end
    }

    private let phrases: [String]
    private let place: Place

    private init(_ phrases: [String], at place: Place = .anywhere) {
        self.phrases = phrases
        self.place = place
    }

    private init(_ phrases: String..., at place: Place = .anywhere) { self.init(phrases, at: place) }

    /// Whether one of the phrases stands in the text, at its place.
    package func stands(in text: some StringProtocol) -> Bool {
        phrases.contains { phrase in
            switch place {
            case .anywhere: text.contains(phrase)
            case .start: text.hasPrefix(phrase)
            case .end: text.hasSuffix(phrase)
            }
        }
    }

    // MARK: - libpq, of a connection that was not made: it gives a text, and no code

    /// The connection string is wrong. Source: conninfo_parse and the checks in pqConnectOptions2, fe-connect.c.
    package static let invalidParameters = KnownText("invalid ", at: .start)
    /// The chain of certificates is not trusted, or expired. Source: OpenSSL's reason, from fe-secure-openssl.c.
    package static let untrustedCertificate = KnownText("certificate verify failed")
    /// The certificate is another host's. Source: pq_verify_peer_name_matches_certificate, fe-secure-common.c.
    package static let certificateOfOtherHost = KnownText("does not match host name")
    /// A certificate or its key is missing or cannot be used. Source: initialize_SSL, fe-secure-openssl.c.
    package static let certificateOrKey = KnownText("certificate", "private key")
    /// The server is not of the kind that target_session_attrs asks for. Source: PQconnectPoll, fe-connect.c.
    package static let otherSessionKind = KnownText(
        "failed: session is read-only", "failed: session is not read-only",
        "failed: server is in hot standby mode", "failed: server is not in hot standby mode", at: .end)
    /// This process lacks descriptors or memory. Source: strerror(3), which speaks libpq's language in this process.
    package static var shortage: KnownText {
        KnownText([EMFILE, ENFILE, ENOMEM].map { FileIOError.text(of: $0) })
    }

    // MARK: - The server: several cases with one SQLSTATE

    /// 28000: no line of pg_hba.conf lets the login in. The file's name stands in every language.
    /// Source: ClientAuthentication, auth.c.
    package static let hostRules = KnownText("pg_hba.conf")
    /// 28000, from 14 on: the end of that message. Older servers write `SSL on` or `SSL off`, and a hint offers them
    /// another method. Source: ClientAuthentication, auth.c.
    package static let hostRulesFrom14 = KnownText("no encryption", "SSL encryption", "GSS encryption", at: .end)
    /// 28000: there is no such role. Source: InitializeSessionUserId, miscinit.c.
    package static let missingRole = KnownText("does not exist")
    /// 53300: all WAL senders are in use. The setting's name stands in every language. Source: InitProcess, proc.c, and
    /// InitWalSenderSlot, walsender.c.
    package static let maxWALSenders = KnownText("max_wal_senders")
    /// 53300: the limit of a database, and not that of the role, whose name may be the same. Source: CheckMyDatabase,
    /// postinit.c.
    package static let connectionsOfDatabase = KnownText("for database")
    /// 53400: the setting's name stands in every language. Source: FileWriteV, fd.c.
    package static let temporaryFileLimit = KnownText("temp_file_limit")
    /// 08P01 or 3D000: a pooler takes `replication` for an unknown parameter, or passes it on as a database. The word stands
    /// in every language. Source: PgBouncer, client.c; InitPostgres, postinit.c.
    package static let pooler = KnownText(
        "unsupported startup parameter: replication", "unsupported startup parameter in options: replication",
        "no such database: replication", "\"replication\"")
    /// 55000: there may be no slots. The setting's name stands in every language. Source: CheckSlotRequirements, slot.c.
    package static let maxReplicationSlots = KnownText("max_replication_slots")
    /// 55000: the slot is logical. Source: StartReplication, walsender.c.
    package static let logicalSlot = KnownText("logical replication slot")
    /// XX000: a file with the name of a relation's segment that is none. Source: sendFile, basebackup.c.
    package static let invalidSegmentNumber = KnownText("invalid segment number")
    /// 55000: wal_level is too low. Source: CheckSlotRequirements, slot.c, and do_pg_backup_start, xlog.c.
    package static let walLevel = KnownText("wal_level", "WAL level")
    /// XX000 or 54000, up to 17: a path too long for the archive. Source: _tarWriteHeader, basebackup.c.
    package static let fileNameTooLong = KnownText("file name too long")
    /// XX000: SQL on a replication connection without a database. Source: exec_replication_command, walsender.c.
    package static let noSQL = KnownText("cannot execute SQL commands")
    /// 42601: a command or an option that the peer does not know at all. Sources: replication_yyerror, repl_scanner.l;
    /// parse_basebackup_options, basebackup.c.
    package static let syntaxError = KnownText("syntax error", "unrecognized base backup option")
    /// The WAL was removed. 58P01 says so where the file is missed; where it is removed while it is being sent, the
    /// SQLSTATE is that of whatever call failed last. Source: CheckXLogRemoved, xlog.c.
    package static let removedWAL = KnownText("has already been removed")

    // MARK: - The log of a server that was started here, if it cannot be queried

    /// Source: WalReceiverMain, walreceiver.c.
    package static let startedStreaming = KnownText("started streaming WAL from primary at")
    /// What a client hears that comes before the server lets anybody in. Source: ProcessStartupPacket, postmaster.c, and
    /// from 18 on backend_startup.c.
    package static let notReady = KnownText(
        "the database system is starting up", "the database system is not yet accepting connections",
        "the database system is not accepting connections")
    /// Source: recoveryPausesHere, xlogrecovery.c (xlog.c up to 14).
    package static let pausedReplay = KnownText("recovery has paused", "pausing at the end of recovery")
}
