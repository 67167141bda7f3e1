import Glibc
import Testing
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

@testable import UnderstudyBackup
@testable import UnderstudyBackupFormat
@testable import UnderstudyConnection
@testable import UnderstudyCore

@Suite("A remedy")
struct RemedyTests {
    private let remedy: Remedy =
        "Use \(.startLSN(LSN(rawValue: 0x1000000))) for \(2) slots\(", or " as Remedy)\(.wait)."

    @Test("names its options, and has the words of whoever shows it")
    func words() {
        #expect(remedy.steps == [.startLSN(LSN(rawValue: 0x1000000)), .wait])
        #expect(remedy.text { step in step == .wait ? "silenceLimit" : "it" } == "Use it for 2 slots, or silenceLimit.")
        #expect(remedy.description == "Use startLSN = 0/1000000 for 2 slots, or wait.")
    }

    @Test("is the same value however it was put together")
    func equality() {
        #expect(Remedy("a b") == "a \("b")" && "a " + Remedy("b") == "a b" && Remedy("") == "\("")")
        #expect("a \(.wait)" as Remedy != "a wait")
        #expect(Remedy.Step.createSlot("a") != .createSlot("b"))
    }

    @Test("is the hint of an error; a hint that is set takes its place")
    func hint() {
        var error = UnderstudyError(.slot, "no slot", remedy: "Use \(.createSlot("s")).")
        #expect(error.hint == "Use createIfMissing.")
        #expect(error.description == "no slot\nHINT:  Use createIfMissing.")
        error.hint = "Wait."
        #expect(error.remedy == "Wait." && error.remedy?.steps == [])
        error.hint = nil
        #expect(error.remedy == nil && error == UnderstudyError(.slot, "no slot"))
        #expect(UnderstudyError(.slot, "no slot", hint: "Wait.").remedy == "Wait.")
    }

    @Test(
        "for a missing slot has the slot's name, if that can be one",
        arguments: [
            (nil, #"replication slot "s_1" does not exist"#, "s_1"), ("t", #"replication slot "s" is missing"#, "t"),
            (nil, "Replikations-Slot »s« existiert nicht", "NAME"), (nil, #"slot "x'; DROP" is missing"#, "NAME"),
            (nil, #"slot "" is missing"#, "NAME"),
        ] as [(String?, String, String)])
    func slotName(_ slot: String?, _ message: String, _ name: String) {
        let server = ServerMessage(severity: "ERROR", sqlState: "42704", message: message)
        let error = UnderstudyError(ConnectionError(.server, message, server: server), of: .slot, slot: slot)
        #expect(error.remedy?.steps == [.createSlot(name == "NAME" ? nil : name)])
        #expect(
            error.hint
                == "Let it be made with createIfMissing, or make it on the primary: SELECT pg_create_physical_replication_slot('\(name)', true);"
        )
    }
}

@Suite("The cause of an error")
struct CauseTests {
    private let file = FileIOError("could not write file", "/x", number: ENOSPC)

    @Test("of the file system is kept, with its errno")
    func files() {
        let error = UnderstudyError(file)
        #expect((error.cause as? FileIOError)?.path == "/x" && error.errorNumber == ENOSPC)
        #expect(UnderstudyError(FileIOError.interrupted("/x")).errorNumber == ECANCELED)
    }

    @Test("of a destination is kept, and so is what lies behind it")
    func destinations() {
        let error = UnderstudyError(ReceiveError(WALDestinationError(file)))
        #expect((error.cause as? WALDestinationError)?.cause is FileIOError)
        #expect(error.code == .noSpace && error.errorNumber == ENOSPC)
        let own = UnderstudyError(WALDestinationError("bucket is gone", hint: "Make it.", cause: CancellationError()))
        #expect((own.cause as? WALDestinationError)?.cause is CancellationError)
        #expect(own.code == .fileSystem && own.errorNumber == nil && own.hint == "Make it.")
    }

    @Test(
        "of a connection is kept, whatever failed",
        arguments: [.unreachable, .refused, .server, .lost, .interrupted] as [ConnectionError.Code])
    func connections(_ code: ConnectionError.Code) {
        let server = ServerMessage(severity: "FATAL", sqlState: "57P01", message: "terminating")
        let connection = ConnectionError(code, "broken", server: server)
        for error in [UnderstudyError(connection), UnderstudyError(ReceiveError(connection))] {
            #expect((error.cause as? ConnectionError)?.code == code)
            #expect((error.cause as? ConnectionError)?.sqlState == "57P01" && error.errorNumber == nil)
        }
    }

    @Test("of the stream and of what was read is kept")
    func others() {
        #expect(UnderstudyError(ReceiveError(.endedEarly, "ended")).cause is ReceiveError)
        #expect(UnderstudyError(ProtocolError("odd row")).cause is ProtocolError)
        #expect(UnderstudyError(BackupFormatError(.truncated, "too short")).cause is BackupFormatError)
    }

    @Test("does not make errors differ that say the same")
    func equality() {
        #expect(UnderstudyError(.wal, "x", cause: file) == UnderstudyError(.wal, "x"))
        #expect(UnderstudyError(.wal, "x", cause: file) != UnderstudyError(.wal, "y", cause: file))
        #expect(UnderstudyError(.wal, "x", remedy: "\(.wait)") != UnderstudyError(.wal, "x", hint: "wait"))
    }
}

@Suite("The code of an error")
struct CodeTests {
    @Test(
        "prints as its name",
        arguments: [
            (.options, "options"), (.passwordNeeded, "passwordNeeded"), (.protocolViolation, "protocolViolation"),
            (.noSpace, "noSpace"), (.fileSystem, "fileSystem"), (.damagedPages, "damagedPages"),
            (.notInRecovery, "notInRecovery"), (.slotInvalidated, "slotInvalidated"),
        ] as [(UnderstudyError.Code, String)])
    func name(_ code: UnderstudyError.Code, _ name: String) {
        #expect("\(code)" == name)
    }
}
