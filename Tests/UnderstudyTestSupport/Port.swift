import Foundation
import Glibc

/// TCP ports on the loopback interface that nobody listens on.
package enum Port {
    private static let given = Locked<Set<Int>>([])

    /// A port that is free now, and that no process of the run gives out twice. They are below the range from which
    /// the kernel takes ports for outgoing connections.
    package static func free() throws -> Int {
        for _ in 0..<1000 {
            let port = Int.random(in: 20_000..<32_000)
            let isNew = given.withLock { $0.insert(port).inserted }
            if isNew, try isReserved(port), isFree(port) { return port }
        }
        throw SupportError("no free port found")
    }

    /// Reserves the port among the processes of a run, which share `UNDERSTUDY_TEST_TMP`: a server binds its port only
    /// a while after it was given.
    private static func isReserved(_ port: Int) throws -> Bool {
        guard let shared = ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_TMP"] else { return true }
        // The strings are lent for the calls.
        _ = unsafe mkdir("\(shared)/ports", 0o755)
        let file = unsafe open("\(shared)/ports/\(port)", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if file >= 0 { close(file) }
        guard file >= 0 || errno == EEXIST else { throw SupportError("could not reserve port \(port): errno \(errno)") }
        return file >= 0
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: bind reads `size` bytes of `address`, which is a sockaddr_in.
        return unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(descriptor, $0, size) == 0 }
        }
    }
}
