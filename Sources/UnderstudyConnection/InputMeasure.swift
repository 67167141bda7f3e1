import CUnderstudyLinux
import Glibc

/// Measures the input from a server that does not belong to a completed message yet.
///
/// libpq keeps a message in memory until it is complete, whatever length the server claims for it, and reads as much as
/// is available in one call. So before each read this checks whether libpq has allocated memory for something large. If
/// so, or if much has arrived without completing a message, the input is read in measured pieces.
struct InputMeasure {
    /// The maximum size of a message in bytes, including messages in between that are not passed on, such as changed
    /// parameters. Servers send at most 128 kB of WAL or data in one message, and a history file in one row.
    static let longestMessage = 2 << 20
    /// The maximum input before the login is complete.
    static let longestLogin = 1 << 20
    /// The size of one measured read.
    static let piece = 16 << 10
    /// As long as no message is complete, this much is read unmeasured.
    private static let unmeasured = 256 << 10
    /// Growth of the process's memory between two checks that may be room for a message.
    private static let suspiciousGrowth: Int64 = 16 << 20
    /// The size of a message beyond its content: its length field, and the overhead of encryption.
    private static let envelope = 128

    /// Bytes read that do not belong to a completed message, as far as known.
    private(set) var taken = 0
    /// Whether the next read must be measured.
    private(set) var isMeasured = false
    private var dataSize = ProcessData.size

    /// Whether more may be read before the messages that arrived are processed.
    var mayReadAhead: Bool { taken < Self.unmeasured }

    /// Makes the next read measured in any case.
    mutating func measureNext() {
        isMeasured = true
    }

    mutating func completed(_ byteCount: Int) {
        taken = max(0, taken - byteCount - Self.envelope)
        isMeasured = false
    }

    /// Checks the state before a read of the bytes that wait in the socket.
    mutating func check(waiting: Int) {
        // libpq reads less than that by itself, in one call.
        if waiting >= Self.piece {
            let size = ProcessData.size
            if size - dataSize >= Self.suspiciousGrowth { isMeasured = true }
            dataSize = size
        }
        if taken >= Self.unmeasured { isMeasured = true }
    }

    /// Records the process's memory before libpq is called, so that memory which other threads allocate between two
    /// calls does not count for ``hasGrown``. Where growth ends a login, it must be libpq's.
    mutating func begin() {
        dataSize = ProcessData.size
    }

    /// Whether the process's memory has grown since the last check, or ``begin()``, by enough for a large message.
    var hasGrown: Bool { ProcessData.size - dataSize >= Self.suspiciousGrowth }

    mutating func note(_ count: Int) {
        taken += count
    }

    var isTooMuch: Bool { taken > Self.longestMessage }
}

/// The size of this process's private memory.
private enum ProcessData {
    /// Open for the lifetime of the process; negative if there is no /proc.
    private static let statm = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)

    /// In bytes; -1 if unknown.
    static var size: Int64 { statm < 0 ? -1 : understudy_data_size(statm) }
}

/// Replaces a connection's socket with a socket pair while libpq reads. The pair holds at most one piece.
struct SocketAside: ~Copyable {
    private let place: CInt
    private let server: CInt
    private let feed: CInt
    /// False if libpq closed its end meanwhile.
    var isInPlace = true

    /// Nil if no descriptors are available for it.
    ///
    /// - Parameter isEncrypted: Whether encryption below libpq may have to send before it can read. Without encryption
    ///   nothing is sent from here: if the server did not read, data that libpq holds would have to be held here
    ///   instead.
    init?(_ socket: CInt, isEncrypted: Bool) {
        var server: CInt = -1, feed: CInt = -1
        // Both are filled if it returns 0.
        guard unsafe understudy_set_aside(socket, &server, &feed) == 0 else { return nil }
        place = socket
        self.server = server
        self.feed = feed
        if !isEncrypted { understudy_fill(socket) }
    }

    deinit {
        understudy_put_back(place, server, feed, isInPlace ? 1 : 0)
    }

    /// Passes on at most `limit` bytes that the server sent.
    ///
    /// - Returns: The number of bytes.
    func feed(atMost limit: Int) -> Int {
        var bytes = [UInt8](repeating: 0, count: limit)
        // At most `limit` bytes, the whole array, are written.
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe recv(server, $0.baseAddress, limit, CInt(MSG_DONTWAIT))
        }
        // The server closed the connection, or it broke; libpq's read must end too.
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { shutdown(feed, CInt(SHUT_WR)) }
        guard count > 0 else { return 0 }
        // A new pair has room for one piece.
        _ = unsafe bytes.withUnsafeBytes { unsafe send(feed, $0.baseAddress, count, CInt(MSG_NOSIGNAL)) }
        return count
    }

    /// Whether libpq has more of it to read.
    var hasRest: Bool { understudy_bytes_waiting(place) > 0 }

    /// Sends the few bytes that libpq and the encryption below it wrote meanwhile. Only for an encrypted connection.
    ///
    /// - Returns: Whether everything was sent, and the encryption can continue.
    func forward() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            // At most the whole array is written.
            let count = unsafe bytes.withUnsafeMutableBytes {
                unsafe recv(feed, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT))
            }
            guard count > 0 else { return true }
            guard pass(bytes[..<count]) else { return false }
        }
    }

    private func pass(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            // Only the remaining bytes are sent.
            let count = unsafe rest.withUnsafeBytes {
                unsafe send(server, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else {
                guard count < 0, errno == EAGAIN || errno == EINTR else { return false }
                var place = pollfd(fd: server, events: .output, revents: 0)
                // A server that reads nothing for this long is considered lost.
                guard unsafe poll(&place, 1, Self.sendTimeout) > 0 || errno == EINTR else { return false }
            }
        }
        return true
    }

    /// In milliseconds.
    private static let sendTimeout: CInt = 3000
}
