import Glibc

/// The limit on open files of this process: RLIMIT_NOFILE.
package enum FileLimit {
    /// Raises the soft limit to the hard one; does nothing if that is refused. Our own open files are bounded, whatever
    /// a server has; this leaves room for libraries and for the host program.
    package static func raise() {
        var limit = rlimit()
        // getrlimit fills the struct, setrlimit reads it.
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
            limit.rlim_cur < limit.rlim_max
        else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
