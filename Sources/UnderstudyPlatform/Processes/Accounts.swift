import Glibc

/// All groups of a user: getgrouplist(3). A server may need one of them; Debian's, for example, needs ssl-cert.
package func groups(ofUser user: UInt32, group: UInt32) -> [UInt32] {
    var groups = [gid_t](repeating: 0, count: 256)
    var count = CInt(groups.count)
    // getgrouplist writes at most `count` entries.
    guard let name = userName(user), unsafe getgrouplist(name, group, &groups, &count) >= 0 else { return [group] }
    return Array(groups.prefix(Int(count)))
}

/// The name of a user.
package func userName(_ user: UInt32) -> String? {
    Account(user: user)?.name
}

/// A variable of this process's environment: getenv(3). The program never changes its environment.
package func environmentVariable(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
}

/// A user's account: getpwuid_r(3).
package struct Account: Sendable, Equatable {
    package let user: UInt32
    package let name: String
    package let home: String
    package let shell: String

    /// Nil if there is no such user.
    package init?(user: UInt32) {
        var entry = unsafe passwd()
        var found: UnsafeMutablePointer<passwd>?
        // The strings are in the buffer, and are copied while it exists.
        let account = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1 << 14) {
            buffer -> (String, String, String)? in
            guard unsafe getpwuid_r(user, &entry, buffer.baseAddress!, buffer.count, &found) == 0, unsafe found != nil
            else { return nil }
            return unsafe (
                String(cString: entry.pw_name), String(cString: entry.pw_dir), String(cString: entry.pw_shell)
            )
        }
        guard let account else { return nil }
        self.user = user
        (name, home, shell) = account
    }

    private init(user: UInt32, name: String, home: String, shell: String) {
        self.user = user
        self.name = name
        self.home = home
        self.shell = shell
    }

    private static let listing = Monitor(())

    /// All users that the system lists: getpwent_r(3). A directory service may have more.
    package static func all() -> [Account] {
        listing.update { _ in
            var accounts: [Account] = []
            setpwent()
            defer { endpwent() }
            var entry = unsafe passwd()
            var found: UnsafeMutablePointer<passwd>?
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1 << 16) { buffer in
                // The strings are in the buffer, and are copied before the next entry overwrites them.
                while unsafe getpwent_r(&entry, buffer.baseAddress!, buffer.count, &found) == 0, unsafe found != nil {
                    unsafe accounts.append(
                        Account(
                            user: entry.pw_uid, name: String(cString: entry.pw_name),
                            home: String(cString: entry.pw_dir), shell: String(cString: entry.pw_shell)))
                }
            }
            return accounts
        }
    }
}
