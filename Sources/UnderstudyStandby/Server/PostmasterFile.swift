/// The contents of a running server's postmaster.pid.
///
/// Source: `src/include/utils/pidfile.h` of PostgreSQL.
struct PostmasterFile: Equatable, Sendable {
    var processID: Int32
    var port: Int
    /// nil if the server listens on no Unix socket.
    var socketDirectory: String?
    /// nil if it listens on no TCP address.
    var listenAddress: String?
    /// `starting`, `ready`, `standby` (up, but no hot standby) or `stopping`; nil before 10.
    var status: String?

    /// nil while the file is incomplete.
    init?(_ text: String) {
        // By scalars: a carriage return before the end of a line belongs to a name.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            var line = line.drop { $0 == " " }
            while line.last == " " { line.removeLast() }
            return String(line)
        }
        // A postmaster's number is positive; a standalone backend writes its own with a minus sign.
        guard lines.count >= 6, let processID = Int32(lines[0]), processID > 0, let port = Int(lines[3]) else {
            return nil
        }
        self.processID = processID
        self.port = port
        socketDirectory = lines[4].isEmpty ? nil : lines[4]
        listenAddress = lines[5].isEmpty ? nil : lines[5]
        status = lines.count > 7 && !lines[7].isEmpty ? lines[7] : nil
    }

    /// An address of this machine on which the server listens; nil if there is none.
    var loopback: String? {
        switch listenAddress {
        case "*", "0.0.0.0", "localhost", "127.0.0.1": "127.0.0.1"
        case "::", "::1": "::1"
        default: nil
        }
    }
}
