import Testing
import Understudy
import UnderstudyPlatform

@testable import UnderstudyCLI

@Suite("JSON")
struct JSONTests {
    @Test(
        "strings are escaped where they must be",
        arguments: [
            ("", #""""#), ("a", #""a""#), (#"a"b\c"#, #""a\"b\\c""#), ("a\nb\r\tc", #""a\nb\r\tc""#),
            ("a\r\nb", #""a\r\nb""#), ("\u{0}\u{1F}\u{7F}", #""\u0000\u001f\u007f""#), ("é/😀", "\"é/😀\""),
        ])
    func strings(value: String, text: String) {
        #expect(JSONValue.string(value).text == text)
    }

    @Test("numbers, nulls and objects are written as they are")
    func values() {
        #expect(JSONValue.unsigned(.max).text == "18446744073709551615")
        #expect(JSONValue.integer(-1).text == "-1")
        #expect(JSONValue.number(0.4375).text == "0.4375")
        #expect(JSONValue.number(.infinity).text == "null")
        #expect(JSONValue.number(.nan).text == "null")
        #expect(JSONValue.object([]).text == "{}")
        #expect(
            JSONValue.object([("b", nil), ("a", .object([("c", .integer(1))]))]).text == #"{"b":null,"a":{"c":1}}"#)
    }

    private static let time = UTCTime(1_795_508_100, nanoseconds: 42_999_999)
    private static let beginning = #"{"time":"2026-11-24T08:15:00.042Z","type":"#

    @Test("progress has all its members, known or not, behind the time and the type")
    func progress() {
        let known = BackupProgress(
            phase: .copying, bytesDone: 1000, bytesTotal: 3000, bytesPerSecond: 500, eta: .milliseconds(4500),
            tablespacesDone: 1, tablespacesTotal: 2, elapsed: .milliseconds(2345))
        #expect(
            ProgressJSON.object(known).text(at: Self.time)
                == Self.beginning
                + #""progress","phase":"copying","bytesDone":1000,"bytesTotal":3000,"fraction":0.3333,"bytesPerSecond":500,"#
                + #""etaSeconds":4,"tablespacesDone":1,"tablespacesTotal":2,"elapsedSeconds":2.345}"#)
        #expect(
            ProgressJSON.object(BackupProgress(phase: .connecting)).text(at: Self.time)
                == Self.beginning
                + #""progress","phase":"connecting","bytesDone":0,"bytesTotal":null,"fraction":null,"bytesPerSecond":0,"#
                + #""etaSeconds":null,"tablespacesDone":0,"tablespacesTotal":0,"elapsedSeconds":0.0}"#)
    }

    @Test("the last object of a failure has the error")
    func failed() {
        let error = UnderstudyError(.server, "role \"r\" may not", detail: "It may not.", sqlState: "42501")
        let text = ProgressJSON.failed(error, last: BackupProgress(phase: .connecting, elapsed: .seconds(1)))
            .text(at: Self.time)
        #expect(text.hasPrefix(Self.beginning + #""result","phase":"failed","bytesDone":0,"#))
        #expect(
            text.hasSuffix(
                #""elapsedSeconds":1.0,"error":{"message":"role \"r\" may not","detail":"It may not.","hint":null,"#
                    + #""sqlstate":"42501"}}"#))
    }

    @Test("the last object of a backup has its result")
    func done() {
        let result = BackupResult(
            startLSN: LSN("0/2000028")!, endLSN: LSN("0/2000100")!, timeline: TimelineID(rawValue: 3),
            verifiedFiles: nil, bytes: 5, serverVersion: 180_000, systemIdentifier: "1", keptBytes: 3)
        let text = ProgressJSON.done(result, target: "d", last: BackupProgress(phase: .syncing, bytesDone: 5))
            .text(at: Self.time)
        #expect(text.hasPrefix(Self.beginning + #""result","phase":"done","bytesDone":5,"#))
        #expect(
            text.hasSuffix(
                #""startLSN":"0/2000028","endLSN":"0/2000100","timeline":3,"verifiedFiles":null,"keptBytes":3,"target":"d"}"#
            ))
    }

    @Test("equal objects have the same type and members")
    func equality() {
        #expect(JSONObject.message(.error, "a") == .message(.error, "a"))
        #expect(JSONObject.message(.error, "a") != .message(.warning, "a"))
        #expect(JSONObject.message(.error, "a") != .message(.error, "a", hint: "b"))
    }
}

extension JSONObject {
    /// The value of a member.
    subscript(_ name: String) -> JSONValue? { members.first { $0.0 == name }?.1 }
}
