import Foundation
import Glibc
import Synchronization

/// A server that says what it was told to say: libpq connects to it as to a real one.
///
/// Listens on loopback until it goes; each connection has a thread of its own, which ends with the connection.
package final class ScriptedServer: Sendable {
    /// What the server sends in answer to one message of the client.
    package struct Answer: Sendable {
        package var bytes: [UInt8]
        /// What stands behind this offset is sent when the client has ended its side of the copy.
        package var holdsFrom: Int?

        package init(_ bytes: [UInt8], holdsFrom: Int? = nil) {
            self.bytes = bytes
            self.holdsFrom = holdsFrom
        }
    }

    package let port: Int
    private let listener: CInt
    private let heard = Heard()

    /// - Parameters:
    ///   - startup: The answer to the login, up to ReadyForQuery.
    ///   - script: The answer to a command.
    package init(startup: Answer, script: @escaping @Sendable (String) throws -> Answer) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard listener >= 0 else { throw SupportError("could not make a socket: errno \(errno)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: the address lives through the calls, and has the size that is said.
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(listener, pointer, length) + listen(listener, 16)
                    + getsockname(listener, pointer, &length)
            }
        }
        guard status == 0 else { throw SupportError("could not listen: errno \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
        self.listener = listener
        Thread.detachNewThread { [heard] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread {
                    defer { close(connection) }
                    // A client that goes away in mid-conversation ends it, and nothing else.
                    try? Conversation(connection: connection, heard: heard).run(startup, script)
                }
            }
        }
    }

    deinit {
        // Ends accept, and with it the thread.
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// The commands that came, in their order.
    package var commands: [String] { heard.commands.withLock { $0 } }
}

/// What clients have said.
private final class Heard: Sendable {
    let commands = Mutex<[String]>([])
}

/// One client.
private struct Conversation {
    let connection: CInt
    let heard: Heard

    private struct Ended: Error {}

    func run(_ startup: ScriptedServer.Answer, _ script: (String) throws -> ScriptedServer.Answer) throws {
        // Requests for TLS or GSS encryption are the only packets of eight bytes.
        while try packet().count == 4 { try send([UInt8(ascii: "N")]) }
        try answer(startup)
        while true {
            let (kind, body) = try message()
            switch kind {
            case UInt8(ascii: "Q"):
                let command = String(decoding: body.dropLast(), as: UTF8.self)
                heard.commands.withLock { $0.append(command) }
                try answer(script(command))
            case UInt8(ascii: "X"): return
            default: break
            }
        }
    }

    private func answer(_ answer: ScriptedServer.Answer) throws {
        guard let hold = answer.holdsFrom else { return try send(answer.bytes) }
        try send(Array(answer.bytes[..<hold]))
        while try message().kind != UInt8(ascii: "c") {}
        try send(Array(answer.bytes[hold...]))
    }

    private func message() throws -> (kind: UInt8, body: [UInt8]) {
        (try receive(1)[0], try packet())
    }

    private func packet() throws -> [UInt8] {
        let length = try receive(4).reduce(0) { $0 << 8 | Int($1) }
        return try receive(length - 4)
    }

    private func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let start = done
            // SAFETY: at most the rest of the array is written.
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe recv(connection, buffer.baseAddress! + start, count - start, 0)
            }
            guard got > 0 else { throw Ended() }
            done += got
        }
        return bytes
    }

    private func send(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            let start = done
            // SAFETY: at most the rest of the array is read.
            let sent = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.send(
                    connection, buffer.baseAddress! + start, bytes.count - start, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { throw Ended() }
            done += sent
        }
    }
}
