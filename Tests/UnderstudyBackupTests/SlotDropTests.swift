import Testing

@testable import UnderstudyBackup
@testable import UnderstudyConnection

@Suite("Another attempt to drop a slot")
struct SlotDropTests {
    @Test(
        "is made where the server may answer later",
        arguments: [
            (.unreachable, nil, true), (.timedOut, nil, true), (.lost, nil, true), (.stalled, nil, true),
            (.refused, "57P03", true), (.refused, "53300", true), (.server, "55006", true), (.lost, "57P01", true),
            (.refused, "28P01", false), (.passwordNeeded, nil, false), (.server, "42501", false),
            (.parameters, nil, false),
        ] as [(ConnectionError.Code, String?, Bool)])
    func mayPass(_ code: ConnectionError.Code, _ state: String?, _ mayPass: Bool) {
        let server = state.map { ServerMessage(severity: "FATAL", sqlState: $0, message: "m") }
        #expect(BackupSlot.mayPass(ConnectionError(code, "m", server: server)) == mayPass)
    }
}
