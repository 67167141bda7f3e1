import Glibc
import Understudy

/// The current user, and a look-up of others.
struct Users: Sendable {
    var effective: UInt32
    var find: @Sendable (String) -> BaseBackup.Owner?

    var isRoot: Bool { effective == 0 }

    /// The users of this system. Source: geteuid(2), getpwnam_r(3).
    static let system = Users(effective: geteuid(), find: { lookUp($0) })

    private static func lookUp(_ name: String) -> BaseBackup.Owner? {
        var entry = unsafe passwd()
        // The longest accepted entry: many times what names and home directories need.
        var buffer = [CChar](repeating: 0, count: 64 * 1024)
        return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            var found: UnsafeMutablePointer<passwd>?
            // `entry` and `buffer` outlive the call; afterwards only numbers are read from the entry.
            let status = unsafe getpwnam_r(name, &entry, buffer.baseAddress!, buffer.count, &found)
            guard status == 0, unsafe found != nil else { return nil }
            return unsafe BaseBackup.Owner(user: entry.pw_uid, group: entry.pw_gid)
        }
    }
}
