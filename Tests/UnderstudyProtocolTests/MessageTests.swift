import Testing
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyProtocol

extension [UInt8] {
    static func bigEndian(_ value: UInt64) -> [UInt8] {
        stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt64($0)) }
    }
}

private func text(_ bytes: RawSpan) -> String {
    // The buffer is read only while the closure runs.
    unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
}

@Suite("Messages of a base backup")
struct BackupMessageTests {
    /// What a message says; nil where it is refused.
    private func read(_ bytes: [UInt8]) -> String? {
        guard let message = try? BackupMessage(bytes.raw) else { return nil }
        switch message {
        case .archive(let name, let location): return "archive \(name) \(location)"
        case .data(let content): return "data \(text(content))"
        case .progress(let bytes): return "progress \(bytes)"
        case .manifest: return "manifest"
        }
    }

    static let messages: [(bytes: [UInt8], meaning: String)] = [
        (Array("nbase.tar\0\0".utf8), "archive base.tar "),
        (Array("n16385.tar\0/srv/ts é\0".utf8), "archive 16385.tar /srv/ts é"),
        ([UInt8(ascii: "p")] + .bigEndian(0x0102_0304_0506_0708), "progress 72623859790382856"),
        ([UInt8(ascii: "p")] + .bigEndian(.max), "progress 18446744073709551615"),
        ([UInt8(ascii: "m")], "manifest"),
        (Array("dsome bytes".utf8), "data some bytes"),
        (Array("d".utf8), "data "),
    ]

    @Test("are read whole", arguments: messages)
    func whole(_ bytes: [UInt8], _ meaning: String) {
        #expect(read(bytes) == meaning)
    }

    @Test("are refused when cut short anywhere, unless they are data", arguments: messages.dropLast(2))
    func truncated(_ bytes: [UInt8], _ meaning: String) {
        for length in 0..<bytes.count { #expect(read(Array(bytes.prefix(length))) == nil, "\(length)") }
    }

    @Test("data may have any length")
    func data() {
        let bytes = Array("dsome bytes".utf8)
        for length in 1...bytes.count {
            #expect(read(Array(bytes.prefix(length))) == "data \("some bytes".prefix(length - 1))")
        }
    }

    @Test(
        "are refused when they are something else",
        arguments: [
            [], Array("x".utf8), [0], [0xFF], Array("nbase.tar\0\0\0".utf8), Array("nbase.tar\0\0x".utf8),
            Array("n\0\0".utf8), Array("n\0/ts\0".utf8), [UInt8(ascii: "n"), 0xFF, 0, 0],
            [UInt8(ascii: "p")] + .bigEndian(1) + [0], Array("mm".utf8),
        ] as [[UInt8]])
    func malformed(_ bytes: [UInt8]) {
        #expect(throws: ProtocolError.self) { _ = try BackupMessage(bytes.raw) }
    }
}

@Suite("Messages of a WAL stream")
struct WALMessageTests {
    private func read(_ bytes: [UInt8]) -> String? {
        guard let message = try? WALMessage(bytes.raw) else { return nil }
        switch message {
        case .data(let start, let end, let content): return "data \(start) \(end) \(text(content))"
        case .keepalive(let end, let reply): return "keepalive \(end) \(reply)"
        case .other: return "other"
        }
    }

    private static let header: [UInt8] =
        [UInt8(ascii: "w")] + .bigEndian(0x16_B374_D848) + .bigEndian(0x17_0000_0000) + .bigEndian(42)
    private static let keepalive: [UInt8] = [UInt8(ascii: "k")] + .bigEndian(0x300_0148) + .bigEndian(42)

    @Test("are read whole")
    func whole() {
        #expect(read(Self.header + Array("WAL".utf8)) == "data 16/B374D848 17/0 WAL")
        #expect(read(Self.header) == "data 16/B374D848 17/0 ")
        #expect(read(Self.keepalive + [0]) == "keepalive 0/3000148 false")
        #expect(read(Self.keepalive + [1]) == "keepalive 0/3000148 true")
        #expect(read(Array("s anything".utf8)) == "other")
    }

    @Test("are refused when cut short in their header")
    func truncated() {
        for length in 0..<Self.header.count { #expect(read(Array(Self.header.prefix(length))) == nil, "\(length)") }
        for length in 0...Self.keepalive.count {
            #expect(read(Array(Self.keepalive.prefix(length))) == nil, "\(length)")
        }
    }

    @Test("are refused when they are something else")
    func malformed() {
        for bytes in [[], Array("x".utf8), [0], Self.keepalive + [0, 0]] as [[UInt8]] {
            #expect(throws: ProtocolError.self) { _ = try WALMessage(bytes.raw) }
        }
    }

    @Test("a status update has its positions in network order, and no position of replay")
    func status() {
        var status = StandbyStatus(written: LSN(rawValue: 0x0102_0304_0506_0708), flushed: LSN(rawValue: 0x1000))
        let head: [UInt8] = [UInt8(ascii: "r"), 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0x10, 0]
        let tail: [UInt8] = .bigEndian(0) + .bigEndian(UInt64(bitPattern: -2))
        #expect(status.encoded(microseconds: -2) == head + tail + [0])
        status.replyRequested = true
        #expect(status.encoded(microseconds: -2) == head + tail + [1])
    }
}
