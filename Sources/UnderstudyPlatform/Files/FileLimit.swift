import Glibc

/// The limit on open files of this process: RLIMIT_NOFILE.
package enum FileLimit {
    /// Raises the soft limit to the hard one. What is open is bounded, whatever a server has; this is room for libraries
    /// and for what a library's user has open besides. Where it is refused, nothing happens.
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
