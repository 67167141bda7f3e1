import Glibc

/// The user that servers and programs run as.
///
/// PostgreSQL's server refuses to run as root, so root's tests run everything as user postgres; anybody else's run
/// as that user.
package enum Account {
    package static let isRoot = geteuid() == 0

    /// The user and group that own what the tests make, or nil where the tests are not run by root.
    package static let postgres: (user: UInt32, group: UInt32)? = {
        guard isRoot else { return nil }
        // SAFETY: getpwnam's answer is used at once, before another call could overwrite it.
        guard let entry = unsafe getpwnam("postgres") else {
            fatalError("there is no user postgres to run servers as: run scripts/setup")
        }
        return unsafe (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }()

    /// Gives `path` to the user that servers run as.
    package static func own(_ path: String) throws {
        guard let postgres else { return }
        // SAFETY: the string is lent for the call.
        guard unsafe lchown(path, postgres.user, postgres.group) == 0 else {
            throw SupportError("could not change the owner of \"\(path)\": errno \(errno)")
        }
    }

    /// The words in front of a command that make it run as that user, and in a directory that is open to it. Both
    /// programs execute the command in their own process, so signals reach the command itself.
    static var prefix: [String] {
        let user = isRoot ? ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] : []
        return ["/usr/bin/env", "--chdir=\(TestDirectory.root)"] + user
    }
}

/// What went wrong in the support of the tests, rather than in what is tested.
package struct SupportError: Error, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
