import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// A member that must go out last: `global/pg_control`, without which no server starts. So what is cut off before it, or
/// was not found right, is of no use to anybody.
final class HeldMember: Sendable {
    static let path = "global/pg_control"
    /// Servers write 8 kB.
    private static let longest: UInt64 = 1 << 16

    private let bytes = Monitor<[UInt8]>([])

    func begin(_ entry: TarEntry, header: [UInt8]) throws(UnderstudyError) {
        guard entry.size <= Self.longest else {
            throw UnderstudyError(
                .protocolViolation, "server sent \"\(Self.path)\" with \(entry.size) bytes, which is too long")
        }
        bytes.change { $0 = header }
    }

    func append(_ content: RawSpan) {
        bytes.change { bytes in
            // The span is valid for the call.
            unsafe content.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        }
    }

    /// The member with what fills its last block up; empty if none came.
    var whole: [UInt8] {
        bytes.read { $0 + [UInt8](repeating: 0, count: TarWriter.padding(after: UInt64($0.count))) }
    }
}
