import Foundation
import Testing
import UnderstudyBackup
import UnderstudyCore
import UnderstudyWAL

@Suite("Values that a program stores")
struct PublicValueTests {
    private func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    private func again<Value: Codable>(_ value: Value) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(try text(value).utf8))
    }

    @Test("positions are text, timelines numbers")
    func positions() throws {
        #expect(try text(LSN(rawValue: 0x16_B374_D848)) == "\"16/B374D848\"")
        #expect(try text([TimelineID(rawValue: 3)]) == "[3]")
        #expect(try again(LSN(rawValue: .max)) == LSN(rawValue: .max))
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(LSN.self, from: Data("\"16\"".utf8)) }
    }

    @Test("options and results come back as they were")
    func options() throws {
        let options = BaseBackup.Options(
            label: "nightly", wal: .fetch, slot: .createIfMissing("s"), maxRate: .megabytesPerSecond(50),
            tablespaceMappings: [.init(from: "/a", to: "/b")], stallTimeout: nil,
            owner: .init(user: 1, group: 2))
        #expect(try again(options) == options)
        let result = BackupResult(
            startLSN: LSN(rawValue: 1), endLSN: LSN(rawValue: 2), timeline: 1, verifiedFiles: nil, bytes: 3,
            serverVersion: 180_006, systemIdentifier: "7")
        #expect(try again(result) == result)
        let progress = BackupProgress(phase: .copying, bytesDone: 1, eta: .seconds(3))
        #expect(try again(progress) == progress)
    }

    @Test("an error is what a user is shown")
    func error() throws {
        let error = UnderstudyError(
            .slotInvalidated, "m", hint: "h", sqlState: "55000", cause: UnderstudyError(.options, "inner"))
        #expect(
            try text(error) == #"{"code":"slotInvalidated","hint":"h","message":"m","sqlState":"55000"}"#)
        #expect(try again(error) == error)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(UnderstudyError.self, from: Data(#"{"code":"other","message":"m"}"#.utf8))
        }
    }

    @Test("a rate counts in kilobytes of 1024 bytes")
    func rate() {
        #expect(TransferRate.megabytesPerSecond(2) == .kilobytesPerSecond(2048))
        #expect(TransferRate.kilobytesPerSecond(32).bytesPerSecond == 32768)
        #expect(TransferRate.kilobytesPerSecond(32) < .megabytesPerSecond(1))
    }
}
