import Testing
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyConnection

@Suite("What a server asks for at a login")
struct PasswordQuestionTests {
    private static func question(_ kind: UInt32, _ more: [UInt8] = []) -> [UInt8] {
        var bytes = ServerBytes()
        bytes.message("R", ServerBytes.integer(kind) + more)
        return bytes.bytes
    }

    private static let notice: [UInt8] = {
        var bytes = ServerBytes()
        bytes.message("N", ServerBytes.string("SNOTICE").dropLast() + [0, 0])
        return bytes.bytes
    }()

    @Test(
        "is harmless where the answer shows no password",
        arguments: [
            [], question(0), question(5, [1, 2, 3, 4]), question(10, ServerBytes.string("SCRAM-SHA-256") + [0]),
            question(12) + question(0), notice + question(10), [UInt8(ascii: "E"), 0, 0], [UInt8(ascii: "S")],
        ])
    func harmless(_ bytes: [UInt8]) {
        #expect(AuthenticationRequest.isHarmless(bytes[...]))
    }

    @Test(
        "is not harmless where it does, or cannot be read",
        arguments: [
            question(3), question(7), question(9), notice + question(3), question(12) + question(3),
            [UInt8(ascii: "R")],
            Array(question(10).dropLast()), Array((notice + question(3)).dropLast(3)),
            [UInt8(ascii: "N"), 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0], [UInt8(ascii: "N"), 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ])
    func harmful(_ bytes: [UInt8]) {
        #expect(!AuthenticationRequest.isHarmless(bytes[...]))
    }

    @Test("is not answered with the password where that is not to be shown")
    func login() throws {
        let answer = ScriptedServer.Answer(Self.question(3))
        let server = try ScriptedServer(startup: answer) { _ in answer }
        let error = #expect(throws: ConnectionError.self) {
            _ = try Session.connect(
                ConnectionParameters(
                    "host=127.0.0.1 port=\(server.port) user=r password=secret sslmode=disable gssencmode=disable"),
                kind: .replication, applicationName: "understudy", interrupt: Interrupt(), silenceLimit: .seconds(60),
                showsPassword: false)
        }
        #expect(error?.message.contains("asks for the password itself") == true)
        #expect(server.passwords == [])
    }
}
