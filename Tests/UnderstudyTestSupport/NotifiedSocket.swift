import Foundation
import Glibc

/// A service manager that only listens: the socket of sd_notify(3), and the datagrams that came.
package final class NotifiedSocket: Sendable {
    /// For NOTIFY_SOCKET.
    package let address: String
    private let descriptor: Int32
    private let texts = Locked<[String]>([])

    /// - Parameter isNamed: Whether it is a name behind `@` instead of a file.
    package init(isNamed: Bool = false) throws {
        let path = "\(try TestDirectory.make("manager", mode: 0o755))/notify"
        address = isNamed ? "@\(path)" : path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        let bytes = isNamed ? [0] + Array(path.utf8) : Array(path.utf8) + [0]
        // SAFETY: The path is shorter than the field (see TestDirectory); the address outlives the call.
        let status = unsafe withUnsafeMutablePointer(to: &place) { place in
            unsafe withUnsafeMutableBytes(of: &place.pointee.sun_path) { target in unsafe target.copyBytes(from: bytes)
            }
            return unsafe place.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sa_family_t>.size + bytes.count))
            }
        }
        guard status == 0 else { throw SupportError("could not bind \(address): errno \(errno)") }
        // For the user that the program runs as.
        if !isNamed {
            // SAFETY: The string is lent for the call.
            unsafe chmod(path, 0o777)
        }
    }

    deinit {
        close(descriptor)
    }

    /// All datagrams so far.
    package var received: [String] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        return texts.withLock { texts in
            while true {
                // SAFETY: At most the buffer's count is written.
                let count = unsafe buffer.withUnsafeMutableBytes {
                    unsafe recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
                }
                guard count >= 0 else { return texts }
                texts.append(String(decoding: buffer[..<count], as: UTF8.self))
            }
        }
    }

    /// All assignments so far, one each.
    package var lines: [String] { received.flatMap { $0.components(separatedBy: "\n") } }
}
