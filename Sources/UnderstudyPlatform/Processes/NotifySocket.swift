import CUnderstudyLinux
import Glibc

/// Where a service manager hears how a service is: the protocol of sd_notify(3), datagrams to a socket of AF_UNIX.
package final class NotifySocket: Sendable {
    private let address: String
    private let socket: FileDescriptor

    /// - Parameter address: A path, or a name behind `@` that is no file.
    package init(_ address: String) throws(FileIOError) {
        self.address = address
        let raw = understudy_notify_socket()
        guard raw >= 0 else { throw FileIOError("could not create a socket for", address) }
        socket = FileDescriptor(owning: raw)
    }

    /// Sends assignments, one in each line. Waits at most a second for a manager that reads nothing.
    package func send(_ text: String) throws(FileIOError) {
        let bytes = Array(text.utf8), place = Array(address.utf8)
        let result = SystemCall.run {
            // Both buffers outlive the call, which reads no more than their counts.
            unsafe place.withUnsafeBytes { place in
                unsafe bytes.withUnsafeBytes { bytes in
                    unsafe understudy_notify(
                        socket.rawValue, place.baseAddress, place.count, bytes.baseAddress, bytes.count)
                }
            }
        }
        _ = try result.orThrow("could not notify", address)
    }
}
