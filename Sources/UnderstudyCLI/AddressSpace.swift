import CUnderstudyLinux
import Glibc
import Understudy

/// The limits on the memory that the process may map (ulimit -v and -d).
enum AddressSpace {
    /// What a run takes at most besides the stacks of its threads: blocks between network and disk, connections, and what
    /// is kept of some hundred thousand files.
    private static let need = 128 << 20
    private static let threads = 10

    /// Looks whether there is enough of it for a whole run: where memory runs out in the middle of one, neither Swift nor
    /// the C library can go on.
    static func check() throws(UnderstudyError) {
        guard let limit = [RLIMIT_AS, RLIMIT_DATA].compactMap(limit).min() else { return }
        // Without this a run would need several times as much.
        _ = understudy_limit_memory_arenas()
        // glibc gives a thread's stack the size of the main one, or 2 MB where that has no limit.
        let size = need + threads * (self.limit(RLIMIT_STACK) ?? 2 << 20)
        guard understudy_has_address_space(size) != 0 else { return }
        throw UnderstudyError(
            .resources, "a run may need \(size >> 20) MB of memory, and the limit of \(limit >> 20) MB leaves less",
            hint: "Raise the limit on memory (ulimit -v, ulimit -d), or lower that on stacks (ulimit -s).")
    }

    /// nil where there is none.
    private static func limit(_ resource: __rlimit_resource) -> Int? {
        var limit = rlimit()
        // getrlimit fills the struct.
        guard unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max else {
            return nil
        }
        return Int(clamping: limit.rlim_cur)
    }
}
