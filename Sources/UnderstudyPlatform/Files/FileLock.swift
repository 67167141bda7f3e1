import Glibc

/// A lock on a whole file or directory that goes with its process: flock(2).
///
/// It belongs to the open file, and a child that the process starts has that open too until it executes its program:
/// closing the file does not end the lock as long as there is one. So it is given back before the file is closed, which
/// ends it for everybody.
package enum FileLock {
    package enum Kind {
        /// Nobody else has it, neither so nor to look.
        case exclusive
        /// Taken for a moment to find out whether somebody has it; those who look do not keep each other away.
        case look

        fileprivate var operation: CInt { self == .exclusive ? LOCK_EX : LOCK_SH }
    }

    /// How long it may be held by somebody who only looks, or by a process that was killed and is not quite gone.
    package static let patience = Duration.milliseconds(500)

    /// Takes the lock, or tries for a while.
    ///
    /// - Returns: False if somebody has it all the time. Where a file system has no locks, nothing can be told, and this
    ///   is true.
    package static func take(_ kind: Kind, of descriptor: CInt, patience: Duration = .zero) -> Bool {
        let clock = ContinuousClock(), deadline = clock.now + patience
        while true {
            if flock(descriptor, kind.operation | LOCK_NB) == 0 { return true }
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else { return true }
            guard clock.now < deadline else { return false }
            usleep(5_000)
        }
    }

    package static func giveBack(_ descriptor: CInt) {
        _ = flock(descriptor, LOCK_UN)
    }
}

extension ConfinedDirectory {
    /// Keeps others who ask for it out as long as the directory is open: flock(2).
    ///
    /// - Returns: False if somebody has it. Where a file system has no locks, nothing can be told, and this is true.
    package func lock() -> Bool {
        FileLock.take(.exclusive, of: rawDescriptor, patience: FileLock.patience)
    }

    /// Lets others in, though the directory may stay open, here or in a child that has not executed its program yet.
    package func unlock() {
        FileLock.giveBack(rawDescriptor)
    }
}
