import Foundation
import Glibc

/// A connection to a server on 127.0.0.1 that is asked over HTTP, or sent anything else.
package final class HTTPExchange: Sendable {
    private let connection: CInt

    package init(port: Int) throws {
        connection = try Loopback.connect(to: port)
        // A server that does not answer is a failure, not a hang.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        // SAFETY: the limit lives through the call, and has the size that is said.
        unsafe setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        close(connection)
    }

    @discardableResult
    package func send(_ text: String) -> Bool { Loopback.send(Array(text.utf8)[...], to: connection) }

    /// All that comes until the server closes its side.
    package func rest() -> String {
        var bytes: [UInt8] = []
        while true {
            let some = read(65536)
            if some.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += some
        }
    }

    /// The next answer with its body, if it has a Content-Length.
    package func answer() -> HTTPAnswer? {
        var bytes: [UInt8] = []
        while true {
            if let found = HTTPAnswer(bytes) { return found }
            let some = read(1)
            if some.isEmpty { return nil }
            bytes += some
        }
    }

    private func read(_ most: Int) -> [UInt8] {
        // SAFETY: recv fills no more than there is room for, and its count is what was filled.
        unsafe [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
            count = max(0, unsafe recv(connection, buffer.baseAddress!, most, 0))
        }
    }

    /// Asks once, over a connection of its own.
    package static func get(_ path: String, port: Int, method: String = "GET") throws -> HTTPAnswer {
        let exchange = try HTTPExchange(port: port)
        exchange.send("\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n")
        let text = exchange.rest()
        guard let answer = HTTPAnswer(Array(text.utf8), hasBody: method != "HEAD") else {
            throw SupportError("no answer to \(method) \(path): \(text)")
        }
        return answer
    }
}

package struct HTTPAnswer: Sendable {
    package var status: Int
    /// Names in lower case.
    package var headers: [String: String]
    package var body: String

    /// Nil if it is not complete.
    init?(_ bytes: [UInt8], hasBody: Bool = true) {
        let text = String(decoding: bytes, as: UTF8.self)
        let parts = text.components(separatedBy: "\r\n\r\n")
        guard parts.count > 1 else { return nil }
        let lines = parts[0].components(separatedBy: "\r\n")
        guard let code = lines[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        status = code
        headers = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        body = parts.dropFirst().joined(separator: "\r\n\r\n")
        guard hasBody, let length = headers["content-length"].flatMap({ Int($0) }) else { return }
        guard body.utf8.count >= length else { return nil }
    }
}
