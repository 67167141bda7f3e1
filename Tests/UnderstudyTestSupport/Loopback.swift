import Foundation
import Glibc

/// Sockets on 127.0.0.1.
enum Loopback {
    /// A socket that listens on a port which was free.
    static func listen() throws -> (listener: CInt, port: Int) {
        let listener = try socket()
        var address = address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: the address lives through the calls, and has the size that is said.
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(listener, pointer, length) + Glibc.listen(listener, 16)
                    + getsockname(listener, pointer, &length)
            }
        }
        guard status == 0 else { throw SupportError("could not listen: errno \(errno)") }
        return (listener, Int(UInt16(bigEndian: address.sin_port)))
    }

    /// Takes connections on a thread of its own until the listener is shut down, and closes it then.
    ///
    /// Only that thread closes it: its number would be another socket's at once, and the thread would take that one's
    /// connections.
    static func accept(on listener: CInt, _ take: @escaping @Sendable (CInt) -> Void) {
        Thread.detachNewThread {
            defer { close(listener) }
            while true {
                let connection = Glibc.accept(listener, nil, nil)
                if connection >= 0 {
                    take(connection)
                } else if errno == EINVAL {
                    return
                }
            }
        }
    }

    static func connect(to port: Int) throws -> CInt {
        let connection = try socket()
        var address = address(port: port)
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: the address lives through the call, and has the size that is said.
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe Glibc.connect(connection, pointer, length)
            }
        }
        guard status == 0 else {
            close(connection)
            throw SupportError("could not connect to port \(port): errno \(errno)")
        }
        return connection
    }

    /// Sends all bytes; false when the other side is gone.
    static func send(_ bytes: ArraySlice<UInt8>, to connection: CInt) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            // SAFETY: send reads no more than the slice holds.
            let sent = unsafe rest.withUnsafeBytes { buffer in
                unsafe Glibc.send(connection, buffer.baseAddress!, buffer.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }

    private static func socket() throws -> CInt {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw SupportError("could not make a socket: errno \(errno)") }
        return socket
    }

    private static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        return address
    }
}
