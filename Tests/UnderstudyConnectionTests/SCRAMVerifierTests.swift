import Testing

@testable import UnderstudyConnection

@Suite("What a server keeps of a password") struct SCRAMVerifierTests {
    /// Of the example in RFC 7677: user "user", password "pencil".
    private static let known =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

    @Test func `tells whose password it is`() throws {
        let verifier = try #require(SCRAMVerifier(Self.known))
        #expect(verifier.isOf("pencil"))
        #expect(!verifier.isOf("pencils") && !verifier.isOf(""))
    }

    @Test(arguments: [
        "", "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "SCRAM-SHA-256$", "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
        "SCRAM-SHA-256$99999999:AAAA$AAAA:AAAA", "SCRAM-SHA-256$4096:A$AAAA:AAAA", "SCRAM-SHA-256$4096:AAAA$A*AA:AAAA",
        "SCRAM-SHA-256$4096:AAAA$AAAA", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA$",
    ])
    func `is refused if it is none`(text: String) {
        #expect(SCRAMVerifier(text) == nil)
    }

    @Test func `has a kind`() {
        #expect(PasswordKind(ofVerifier: Self.known) == .scram)
        #expect(PasswordKind(ofVerifier: "md5" + String(repeating: "0", count: 32)) == .md5)
        #expect(PasswordKind(ofVerifier: "md5") == nil && PasswordKind(ofVerifier: "secret") == nil)
    }
}
