import Glibc

/// A lock on a whole file or directory that ends with its process: flock(2).
///
/// It belongs to the open file, which a child process also holds until it executes its program. Until then, closing the
/// file here does not end the lock. So the lock is released before the file is closed, which ends it for every holder.
package enum FileLock {
    package enum Kind {
        /// Excludes every other holder, shared or exclusive.
        case exclusive
        /// A shared lock, taken briefly to test for an exclusive one. Shared locks do not exclude each other.
        case probe

        fileprivate var operation: CInt { self == .exclusive ? LOCK_EX : LOCK_SH }
    }

    /// How long a brief test, or a killed process that has not fully ended, may hold the lock.
    package static let waitLimit = Duration.milliseconds(500)

    /// Takes the lock, retrying until `waitLimit` has passed.
    ///
    /// - Returns: False if the lock was held all the time. True if the file system has no locks, because nothing can
    ///   then be known.
    package static func take(_ kind: Kind, of descriptor: CInt, waitLimit: Duration = .zero) -> Bool {
        let clock = ContinuousClock(), deadline = clock.now + waitLimit
        while true {
            if flock(descriptor, kind.operation | LOCK_NB) == 0 { return true }
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else { return true }
            guard clock.now < deadline else { return false }
            usleep(5_000)
        }
    }

    package static func release(_ descriptor: CInt) {
        _ = flock(descriptor, LOCK_UN)
    }
}

extension ConfinedDirectory {
    /// Locks the directory against others that lock it, as long as it is open: flock(2).
    ///
    /// - Returns: False if it is locked by another. True if the file system has no locks, because nothing can then be
    ///   known.
    package func lock() -> Bool {
        FileLock.take(.exclusive, of: rawDescriptor, waitLimit: FileLock.waitLimit)
    }

    /// Releases the lock, even if the directory stays open here or in a child that has not yet executed its program.
    package func unlock() {
        FileLock.release(rawDescriptor)
    }
}
