import Glibc
import Testing
import UnderstudyPlatform

@testable import UnderstudyConnection

/// Texts as servers and libpq write them.
@Suite("A text that decides")
struct KnownTextTests {
    @Test(
        "is known in what servers and libpq say",
        arguments: [
            (.invalidParameters, #"invalid connection option "hots""#),
            (.untrustedCertificate, "SSL error: certificate verify failed"),
            (.certificateOfOtherHost, #"server certificate for "a" does not match host name "b""#),
            (.certificateOrKey, #"could not load private key file "k": key values mismatch"#),
            (.certificateOrKey, #"could not read certificate file "c": No such file or directory"#),
            (.otherSessionKind, #"connection to server at "h" (10.0.0.1), port 5432 failed: session is read-only"#),
            (.otherSessionKind, #"connection to server at "h", port 1 failed: server is in hot standby mode"#),
            (.hostRules, #"no pg_hba.conf entry for replication connection from host "::1", user "r""#),
            (.hostRules, "kein pg_hba.conf-Eintrag für Replikationsverbindung von Host »::1«"),
            (.missingRole, #"role "r" does not exist"#),
            (.maxWALSenders, "number of requested standby connections exceeds max_wal_senders (currently 1)"),
            (.connectionsOfDatabase, #"too many connections for database "d""#),
            (.temporaryFileLimit, #"temporary file size exceeds "temp_file_limit" (64kB)"#),
            (.walLevel, "WAL level not sufficient for making an online backup"),
            (.walLevel, #"replication slots can only be used if "wal_level" >= "replica""#),
            (.fileNameTooLong, #"file name too long for tar format: "base/1/x""#),
            (.noSQL, "cannot execute SQL commands in WAL sender for physical replication"),
            (.removedWAL, "requested WAL segment 000000010000000000000003 has already been removed"),
            (.startedStreaming, "LOG:  started streaming WAL from primary at 0/3000000 on timeline 1"),
            (.notReady, "FATAL:  the database system is starting up"),
            (.pausedReplay, "LOG:  recovery has paused"),
        ] as [(KnownText, String)])
    func known(_ text: KnownText, _ message: String) {
        #expect(text.stands(in: message))
    }

    @Test("is not taken for another, or from another place")
    func others() {
        #expect(!KnownText.invalidParameters.stands(in: "server said: invalid connection option"))
        #expect(!KnownText.otherSessionKind.stands(in: "failed: session is read-only, says a name"))
        #expect(!KnownText.untrustedCertificate.stands(in: "certificate"))
        #expect(!KnownText.maxWALSenders.stands(in: "sorry, too many clients already"))
        #expect(!KnownText.connectionsOfDatabase.stands(in: #"too many connections for role "d""#))
        #expect(!KnownText.temporaryFileLimit.stands(in: "all replication slots are in use"))
        #expect(!KnownText.missingRole.stands(in: "Rolle »r« existiert nicht"))
    }

    @Test("tells of a shortage in the language of this process", arguments: [EMFILE, ENFILE, ENOMEM])
    func shortage(_ number: CInt) {
        #expect(KnownText.shortage.stands(in: "could not create socket: \(FileIOError.text(of: number))"))
        #expect(!KnownText.shortage.stands(in: "could not create socket: \(FileIOError.text(of: ECONNREFUSED))"))
    }
}
