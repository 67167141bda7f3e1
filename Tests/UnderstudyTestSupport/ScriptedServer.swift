import Foundation
import Glibc

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
        /// Goes on behind `pieces` as a talk: what is sent depends on what the client says.
        package var talk: (@Sendable (Talk) throws -> Void)?
        /// Sent behind all that.
        package var tail: [UInt8] = []
        /// The connection ends behind the last byte.
        package var endsConnection: Bool

        package init(_ bytes: [UInt8], holdsFrom: Int? = nil, endsConnection: Bool = false) {
            self.bytes = bytes
            self.holdsFrom = holdsFrom
            self.endsConnection = endsConnection
        }
    }

    /// What a client says of itself when it connects.
    package struct Login: Sendable, Equatable {
        /// `user`, `database`, `replication`, `application_name` …
        package var parameters: [String: String]
        /// Of the server's logins, from 1 on.
        package var number = 0
        /// Whether the client has ended the connection already.
        package var hasLeft = false

        package var isReplication: Bool { parameters["replication"] == "true" }
    }

    package let port: Int
    private let listener: CInt
    private let heard = Heard()

    /// - Parameters:
    ///   - startup: The answer to the login, up to ReadyForQuery.
    ///   - script: The answer to a command.
    package convenience init(startup: Answer, script: @escaping @Sendable (String) throws -> Answer) throws {
        try self.init(login: { _ in startup }, script: { _, command in try script(command) })
    }

    /// - Parameters:
    ///   - login: The answer to a login, up to ReadyForQuery, or an error.
    ///   - script: The answer to a command of that login.
    package init(
        login: @escaping @Sendable (Login) throws -> Answer,
        script: @escaping @Sendable (Login, String) throws -> Answer
    ) throws {
        let (listener, port) = try Loopback.listen()
        self.port = port
        self.listener = listener
        Loopback.accept(on: listener) { [heard] connection in
            Thread.detachNewThread {
                defer { close(connection) }
                // A client that goes away in mid-conversation ends it, and nothing else.
                try? Conversation(connection: connection, heard: heard).run(login, script)
            }
        }
    }

    deinit {
        // Ends accept, and with it the thread.
        shutdown(listener, Int32(SHUT_RDWR))
    }

    /// Forgets what clients have said until now.
    package func forget() {
        heard.commands.withLock { $0 = [] }
        heard.logins.withLock { $0 = [] }
        heard.passwords.withLock { $0 = [] }
        heard.statuses.withLock { $0 = [] }
    }

    /// The commands that came, in their order.
    package var commands: [String] { heard.commands.withLock { $0 } }
    /// The logins that came, in their order.
    package var logins: [Login] { heard.logins.withLock { $0 } }
    /// The passwords that came, in clear.
    package var passwords: [String] { heard.passwords.withLock { $0 } }
    /// The standby status updates that came, in their order.
    package var statuses: [Status] { heard.statuses.withLock { $0 } }
}

/// What clients have said.
private final class Heard: Sendable {
    let commands = Locked<[String]>([])
    let logins = Locked<[ScriptedServer.Login]>([])
    let count = Locked(0)
    let passwords = Locked<[String]>([])
    let statuses = Locked<[ScriptedServer.Status]>([])
}

/// One client.
private struct Conversation {
    let connection: CInt
    let heard: Heard

    func run(
        _ startup: (ScriptedServer.Login) throws -> ScriptedServer.Answer,
        _ script: (ScriptedServer.Login, String) throws -> ScriptedServer.Answer
    ) throws {
        var first = try packet()
        // Requests for TLS or GSS encryption are the only packets of eight bytes.
        while first.count == 4 {
            try send([UInt8(ascii: "N")][...])
            first = try packet()
        }
        var login = Self.login(first)
        var next: UInt8 = 0
        // At most one byte is written; none is taken.
        login.hasLeft = unsafe recv(connection, &next, 1, CInt(MSG_PEEK | MSG_DONTWAIT)) == 0
        login.number = heard.count.withLock {
            $0 += 1
            return $0
        }
        heard.logins.withLock { [login] in $0.append(login) }
        try answer(startup(login))
        while true {
            let (kind, body) = try message()
            switch kind {
            case UInt8(ascii: "Q"):
                let command = String(decoding: body.dropLast(), as: UTF8.self)
                heard.commands.withLock { $0.append(command) }
                try answer(script(login, command))
            case UInt8(ascii: "p"):
                heard.passwords.withLock { $0.append(String(decoding: body.dropLast(), as: UTF8.self)) }
            case UInt8(ascii: "X"): return
            default: break
            }
        }
    }

    /// The startup message: the protocol's version, then names and values, each with a NUL behind it.
    private static func login(_ packet: [UInt8]) -> ScriptedServer.Login {
        let words = packet.dropFirst(4).split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        var parameters: [String: String] = [:]
        for index in stride(from: 0, to: words.count - 1, by: 2) where !words[index].isEmpty {
            parameters[words[index]] = words[index + 1]
        }
        return ScriptedServer.Login(parameters: parameters)
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
        if let talk = answer.talk { try talk(ScriptedServer.Talk(send: { try send($0[...]) }, message: message)) }
        try send(answer.tail[...])
        if answer.endsConnection { throw ScriptedServer.Ended() }
    }

    private func message() throws -> (kind: UInt8, body: [UInt8]) {
        let kind = try receive(1)[0], body = try packet()
        if kind == UInt8(ascii: "d"), let status = ScriptedServer.Status(body) {
            heard.statuses.withLock { $0.append(status) }
        }
        return (kind, body)
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
            guard got > 0 else { throw ScriptedServer.Ended() }
            done += got
        }
        return bytes
    }

    private func send(_ bytes: ArraySlice<UInt8>) throws {
        guard Loopback.send(bytes, to: connection) else { throw ScriptedServer.Ended() }
    }
}
