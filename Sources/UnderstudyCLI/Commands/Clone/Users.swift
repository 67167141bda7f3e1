import Glibc
import Understudy
import UnderstudyPlatform

/// The current user, and a look-up of others.
struct Users: Sendable {
    var effective: UInt32
    var find: @Sendable (String) -> BaseBackup.Owner?

    var isRoot: Bool { effective == 0 }

    /// The users of this system, by name or number, as chown(1) takes them: `postgres`, `999` or `999:999`. A user
    /// without an account, as in many containers, has the group of its own number unless another is given.
    ///
    /// Source: geteuid(2), getpwnam_r(3), getpwuid_r(3).
    static let system = Users(effective: geteuid(), find: { lookUp($0) ?? byNumber($0) })

    private static func byNumber(_ text: String) -> BaseBackup.Owner? {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = parts.compactMap { UInt32($0) }
        // The largest number stands for no user at all.
        guard numbers.count == parts.count, numbers.allSatisfy({ $0 < UInt32.max }) else { return nil }
        if numbers.count == 2 { return BaseBackup.Owner(user: numbers[0], group: numbers[1]) }
        return userName(numbers[0]).flatMap(lookUp) ?? BaseBackup.Owner(user: numbers[0], group: numbers[0])
    }

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
