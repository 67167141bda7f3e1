import CUnderstudyLinux
import Glibc

/// An open file descriptor with one owner; closed when the owner is destroyed.
package struct FileDescriptor: ~Copyable, Sendable {
    package let rawValue: CInt

    package init(owning rawValue: CInt) {
        self.rawValue = rawValue
    }

    deinit {
        // Code that must know that everything was written calls `close(path:)` instead.
        _ = Glibc.close(rawValue)
    }

    /// close(2) of a written file. Network file systems write their buffered data now, and report a full disk.
    package consuming func close(path: @autoclosure () -> String) throws(FileIOError) {
        let raw = rawValue
        discard self
        // Linux frees the descriptor even if a signal interrupts the call, so it must not be closed again.
        if Glibc.close(raw) != 0 && errno != EINTR { throw FileIOError("could not close file", path()) }
    }

    /// Writes all of `bytes` at `offset`, repeating pwrite(2) as needed.
    package func write(_ bytes: RawSpan, at offset: Int64, path: @autoclosure () -> String) throws(FileIOError) {
        var done = 0
        while done < bytes.byteCount {
            let rest = bytes.extracting(done...)
            let written: Int
            do {
                // The span is valid for the call, and pwrite reads no more than its count.
                written = try unsafe rest.withUnsafeBytes { buffer throws(FileIOError) in
                    try SystemCall.run {
                        unsafe pwrite(rawValue, buffer.baseAddress, buffer.count, off_t(offset) + off_t(done))
                    }.orThrow("could not write to file", path())
                }
            }
            done += written
        }
    }

    /// Writes `bytes` at `offset` to stable storage: pwritev2(2) with RWF_DSYNC. A failure is as final as that of
    /// ``syncData(path:)``.
    ///
    /// - Returns: Whether all bytes were written. False if the kernel or the file system cannot do this, or has no
    ///   room; all bytes must then be written and synced in another way.
    func writeThrough(_ bytes: RawSpan, at offset: Int64, path: @autoclosure () -> String) throws(FileIOError) -> Bool {
        // The span is valid for the call, which reads no more than its count.
        let result = unsafe bytes.withUnsafeBytes { buffer in
            SystemCall.run {
                unsafe Int(understudy_write_through(rawValue, buffer.baseAddress, buffer.count, offset))
            }
        }
        if case .failure(let errno) = result,
            [EINVAL, EOPNOTSUPP, ENOSYS, EPERM, ENOSPC, EDQUOT].contains(errno.number)
        {
            return false
        }
        return try result.orThrow("could not write and sync file", path()) == bytes.byteCount
    }

    /// Reads bytes from an offset on; fewer than the limit if the file ends.
    package func read(
        from offset: Int64 = 0, atMost limit: Int, path: @autoclosure () -> String
    ) throws(FileIOError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        var count = 0
        while count < limit {
            let start = count
            // At most the rest of the array is written.
            let result = unsafe bytes.withUnsafeMutableBytes { buffer in
                SystemCall.run {
                    unsafe pread(rawValue, buffer.baseAddress! + start, limit - start, off_t(offset) + off_t(start))
                }
            }
            let got = try result.orThrow("could not read file", path())
            if got == 0 { break }
            count += got
        }
        return Array(bytes.prefix(count))
    }

    /// fsync(2). A failure is final: the pages may be lost, and a retry would report a false success.
    package func sync(path: @autoclosure () -> String) throws(FileIOError) {
        _ = try SystemCall.run { fsync(rawValue) }.orThrow("could not fsync file", path())
    }

    /// fdatasync(2). A failure is as final as that of ``sync(path:)``.
    package func syncData(path: @autoclosure () -> String) throws(FileIOError) {
        _ = try SystemCall.run { fdatasync(rawValue) }.orThrow("could not fdatasync file", path())
    }

    /// Allocates the file's full size: fallocate(2). If the file system cannot do that, nothing happens, and a full
    /// disk is noticed later.
    ///
    /// - Returns: Whether the space was allocated; all of it reads as zeros.
    @discardableResult
    package func preallocate(_ size: UInt64, path: @autoclosure () -> String) throws(FileIOError) -> Bool {
        let result = SystemCall.run { understudy_preallocate(rawValue, Int64(size)) }
        if case .failure(let errno) = result, errno.number == EOPNOTSUPP || errno.number == ENOSYS { return false }
        _ = try result.orThrow("could not allocate \(size) bytes for file", path())
        return true
    }

    /// Makes a range a hole, which reads as zeros; the size of the file stays.
    ///
    /// - Returns: Whether the file system can do that. If not, nothing happens.
    func punchHole(_ range: Range<Int64>, path: @autoclosure () -> String) throws(FileIOError) -> Bool {
        let result = SystemCall.run {
            understudy_punch_hole(rawValue, range.lowerBound, range.upperBound - range.lowerBound)
        }
        if case .failure(let errno) = result, errno.number == EOPNOTSUPP || errno.number == ENOSYS { return false }
        _ = try result.orThrow("could not make a hole in file", path())
        return true
    }

    /// Writes zeros, from memory that is aligned for direct writes.
    package func fillWithZeros(_ range: Range<Int64>, path: @autoclosure () -> String) throws(FileIOError) {
        let zeros = try Block(zeros: min(1 << 20, range.count))
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = min(zeros.count, Int(range.upperBound - offset))
            try write(zeros.bytes.extracting(..<count), at: offset, path: path())
            offset += Int64(count)
        }
    }

    package func truncate(to size: Int64, path: @autoclosure () -> String) throws(FileIOError) {
        _ = try SystemCall.run { ftruncate(rawValue, off_t(size)) }.orThrow("could not truncate file", path())
    }

    package func setMode(_ mode: UInt16, path: @autoclosure () -> String) throws(FileIOError) {
        _ = try SystemCall.run { fchmod(rawValue, mode_t(mode)) }
            .orThrow("could not set the permissions of", path())
    }

    package func setOwner(_ owner: FileOwner, path: @autoclosure () -> String) throws(FileIOError) {
        _ = try SystemCall.run { fchown(rawValue, owner.user, owner.group) }
            .orThrow("could not set the owner of", path())
    }
}

/// A numeric user and group.
package struct FileOwner: Sendable, Equatable {
    package var user: UInt32
    package var group: UInt32

    package init(user: UInt32, group: UInt32) {
        self.user = user
        self.group = group
    }

    /// Whether this user may open a file for reading: tried with this user's rights, if this process has the right to.
    package func mayRead(_ path: String) -> Bool { unsafe understudy_may_read_as(path, user, group) != 0 }

    /// The effective user and group of this process.
    package static var ofThisProcess: FileOwner { FileOwner(user: geteuid(), group: getegid()) }
}

/// The permission bits and the owner of a directory.
package struct ModeAndOwner: Sendable, Equatable {
    package var mode: UInt16
    package var owner: FileOwner

    package init(mode: UInt16, owner: FileOwner) {
        self.mode = mode
        self.owner = owner
    }

    /// The permissions that a user other than root has by them: 4 to read, 2 to write, 1 to execute or enter.
    package func permissions(of user: FileOwner) -> UInt16 {
        if owner.user == user.user { return mode >> 6 & 7 }
        return groups(ofUser: user.user, group: user.group).contains(owner.group) ? mode >> 3 & 7 : mode & 7
    }
}
