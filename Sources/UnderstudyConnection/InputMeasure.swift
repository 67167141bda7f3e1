import CUnderstudyLinux
import Glibc

/// How much has come from a server that belongs to none of the messages which it has completed.
///
/// libpq keeps a message in memory until all of it is there, whatever length a server claims for it, and reads in one call
/// as much as comes. So before each read it is looked whether libpq has made room for something large; then, as when much
/// has come without a message, it is read in measured pieces.
struct InputMeasure {
    /// Bytes of a message, with those between messages that are not handed on, as changed parameters. Servers send at most
    /// 128 kB of WAL or data in one message, and a history file in one row.
    static let longestMessage = 2 << 20
    /// What comes before the login is complete.
    static let longestLogin = 1 << 20
    /// What is read at once when it is measured.
    static let piece = 16 << 10
    /// Without a message, this much is read unmeasured.
    private static let unmeasured = 256 << 10
    /// Memory that the process has got between two looks, and that may be room for a message.
    private static let suspiciousGrowth: Int64 = 16 << 20
    /// What a message may take beside its content: its length, and the encryption's.
    private static let envelope = 128

    /// Bytes of no message, as far as they are known.
    private(set) var taken = 0
    /// Whether the next read must be measured.
    private(set) var isMeasured = false
    private var dataSize = ProcessData.size

    /// Whether more may be read before the messages that have come are taken.
    var mayReadAhead: Bool { taken < Self.unmeasured }

    /// The next read is measured, whatever comes.
    mutating func measureNext() {
        isMeasured = true
    }

    mutating func completed(_ byteCount: Int) {
        taken = max(0, taken - byteCount - Self.envelope)
        isMeasured = false
    }

    /// Looks before a read of what waits at the socket.
    mutating func look(waiting: Int) {
        // Less than that libpq reads by itself, in one call.
        if waiting >= Self.piece {
            if hasGrown { isMeasured = true }
            dataSize = ProcessData.size
        }
        if taken >= Self.unmeasured { isMeasured = true }
    }

    /// Notes what the process holds before libpq is called. What other threads get between two calls is then no reason for
    /// ``hasGrown``: where that ends a login, it must be libpq's.
    mutating func begin() {
        dataSize = ProcessData.size
    }

    /// Whether the process has got memory since the last look, or ``begin()``, that may be room for a message.
    var hasGrown: Bool { ProcessData.size - dataSize >= Self.suspiciousGrowth }

    mutating func note(_ count: Int) {
        taken += count
    }

    var isTooMuch: Bool { taken > Self.longestMessage }
}

/// The private memory of this process.
private enum ProcessData {
    /// Open for as long as the process lives; negative where there is no /proc.
    private static let statm = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)

    /// In bytes; -1 where it cannot be told.
    static var size: Int64 { statm < 0 ? -1 : understudy_data_size(statm) }
}

/// The socket of a connection while libpq reads, in its place, from a pair of sockets that holds no more than a piece.
struct SocketAside: ~Copyable {
    private let place: CInt
    private let server: CInt
    private let feed: CInt
    /// Whether libpq has not closed its end meanwhile.
    var isInPlace = true

    /// nil where no descriptors can be had for it.
    ///
    /// - Parameter isEncrypted: Encryption below libpq may have to send before it can read. Without it nothing is sent from
    ///   here: the server might take nothing, and what libpq holds would have to be held here instead.
    init?(_ socket: CInt, isEncrypted: Bool) {
        var server: CInt = -1, feed: CInt = -1
        // Both are filled where it returns 0.
        guard unsafe understudy_set_aside(socket, &server, &feed) == 0 else { return nil }
        place = socket
        self.server = server
        self.feed = feed
        if !isEncrypted { understudy_fill(socket) }
    }

    deinit {
        understudy_put_back(place, server, feed, isInPlace ? 1 : 0)
    }

    /// Hands on what the server has sent, at most so many bytes.
    ///
    /// - Returns: How many.
    func feed(atMost limit: Int) -> Int {
        var bytes = [UInt8](repeating: 0, count: limit)
        // At most the whole array is written.
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe recv(server, $0.baseAddress, limit, CInt(MSG_DONTWAIT))
        }
        // The server has ended the connection, or it broke: a read in its place ends too.
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { shutdown(feed, CInt(SHUT_WR)) }
        guard count > 0 else { return 0 }
        // A new pair has room for a piece.
        _ = unsafe bytes.withUnsafeBytes { unsafe send(feed, $0.baseAddress, count, CInt(MSG_NOSIGNAL)) }
        return count
    }

    /// Whether libpq has more to read of it.
    var hasRest: Bool { understudy_bytes_waiting(place) > 0 }

    /// Sends what libpq and the encryption below it had to say meanwhile: a few bytes. Only where it is encrypted.
    ///
    /// - Returns: Whether all of it was sent, and the encryption goes on.
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
            // What is left is sent, and no more.
            let count = unsafe rest.withUnsafeBytes {
                unsafe send(server, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else {
                guard count < 0, errno == EAGAIN || errno == EINTR else { return false }
                var place = pollfd(fd: server, events: .output, revents: 0)
                // A server that takes nothing for so long is as good as gone.
                guard unsafe poll(&place, 1, Self.patience) > 0 || errno == EINTR else { return false }
            }
        }
        return true
    }

    /// Milliseconds.
    private static let patience: CInt = 3000
}
