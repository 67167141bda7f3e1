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
        /// Sent behind `bytes`, made as they are sent: for what is too large to be held.
        package var pieces: (@Sendable () -> AnySequence<[UInt8]>)?
        /// Sent behind `pieces`.
        package var tail: [UInt8] = []
        /// The connection ends behind the last byte.
        package var endsConnection: Bool

        package init(_ bytes: [UInt8], holdsFrom: Int? = nil, endsConnection: Bool = false) {
            self.bytes = bytes
            self.holdsFrom = holdsFrom
            self.endsConnection = endsConnection
        }
    }

    package let port: Int
    private let listener: CInt
    private let heard = Heard()

    /// - Parameters:
    ///   - startup: The answer to the login, up to ReadyForQuery.
    ///   - script: The answer to a command.
    package convenience init(startup: Answer, script: @escaping @Sendable (String) throws -> Answer) throws {
        try self.init(startup: { _ in startup }, script: { try script($1) })
    }

    /// - Parameters:
    ///   - startup: The answer to the login with these parameters.
    ///   - script: The answer to a command on such a connection.
    package init(
        startup: @escaping @Sendable ([String: String]) throws -> Answer,
        script: @escaping @Sendable ([String: String], String) throws -> Answer
    ) throws {
        let (listener, port) = try Loopback.listen()
        self.port = port
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

    /// The parameters of the logins, in their order.
    package var logins: [[String: String]] { heard.logins.withLock { $0 } }
}

/// What clients have said.
private final class Heard: Sendable {
    let commands = Mutex<[String]>([])
    let logins = Mutex<[[String: String]]>([])
}

/// One client.
private struct Conversation {
    let connection: CInt
    let heard: Heard

    private struct Ended: Error {}

    func run(
        _ startup: ([String: String]) throws -> ScriptedServer.Answer,
        _ script: ([String: String], String) throws -> ScriptedServer.Answer
    ) throws {
        var greeting = try packet()
        // Requests for TLS or GSS encryption are the only packets of eight bytes.
        while greeting.count == 4 {
            try send([UInt8(ascii: "N")][...])
            greeting = try packet()
        }
        // The version of the protocol, then names and values, each with its NUL.
        let words = greeting.dropFirst(4).split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        var parameters: [String: String] = [:]
        for index in stride(from: 0, to: words.count - 1, by: 2) where !words[index].isEmpty {
            parameters[words[index]] = words[index + 1]
        }
        heard.logins.withLock { [parameters] in $0.append(parameters) }
        try answer(startup(parameters))
        while true {
            let (kind, body) = try message()
            switch kind {
            case UInt8(ascii: "Q"):
                let command = String(decoding: body.dropLast(), as: UTF8.self)
                heard.commands.withLock { $0.append(command) }
                try answer(script(parameters, command))
            case UInt8(ascii: "X"): return
            default: break
            }
        }
    }

    private func answer(_ answer: ScriptedServer.Answer) throws {
        if let hold = answer.holdsFrom {
            try send(answer.bytes[..<hold])
            while try message().kind != UInt8(ascii: "c") {}
            try send(answer.bytes[hold...])
        } else {
            try send(answer.bytes[...])
        }
        if let pieces = answer.pieces { for piece in pieces() { try send(piece[...]) } }
        try send(answer.tail[...])
        if answer.endsConnection { throw Ended() }
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

    private func send(_ bytes: ArraySlice<UInt8>) throws {
        guard Loopback.send(bytes, to: connection) else { throw Ended() }
    }
}
