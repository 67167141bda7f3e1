import CUnderstudyLinux
import Glibc
import Understudy

/// The limits on the memory that the process may map (ulimit -v and -d).
enum AddressSpace {
    /// The most that a run takes besides its threads' stacks: blocks between network and disk, connections, and records
    /// of some hundred thousand files.
    private static let need = 128 << 20
    private static let threads = 10

    /// Checks that there is enough memory for a whole run: if it runs out during a run, neither Swift nor the C library
    /// can go on.
    static func check() throws(UnderstudyError) {
        guard let limit = [RLIMIT_AS, RLIMIT_DATA].compactMap(limit).min() else { return }
        // Otherwise a run would need several times as much.
        _ = understudy_limit_memory_arenas()
        // glibc gives a thread's stack the size of the main thread's limit, or 2 MB if there is none.
        let size = need + threads * (self.limit(RLIMIT_STACK) ?? 2 << 20)
        guard understudy_has_address_space(size) != 0 else { return }
        throw UnderstudyError(
            .resources, "a run may need \(size >> 20) MB of memory, and the limit of \(limit >> 20) MB leaves less",
            hint: "Raise the limit on memory (ulimit -v, ulimit -d), or lower that on stacks (ulimit -s).")
    }

    /// nil if there is none.
    private static func limit(_ resource: __rlimit_resource) -> Int? {
        var limit = rlimit()
        // getrlimit fills the struct.
        guard unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max else {
            return nil
        }
        return Int(clamping: limit.rlim_cur)
    }
}
