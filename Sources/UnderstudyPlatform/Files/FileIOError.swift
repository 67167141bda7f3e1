import CUnderstudyLinux
import Glibc

/// A failed system call on a file: the attempt, the object and the reason.
package struct FileIOError: Error, Sendable, CustomStringConvertible {
    /// The attempt, in PostgreSQL's words and without the object: `could not create file`.
    package var attempt: String
    package var path: String
    /// The errno of the call.
    package var number: CInt

    package init(_ attempt: String, _ path: String, number: CInt = Glibc.errno) {
        self.attempt = attempt
        self.path = path
        self.number = number
    }

    /// Whether the file system is out of space. Only such failed writes may be retried.
    package var isNoSpace: Bool { number == ENOSPC || number == EDQUOT }

    /// The run was interrupted before all files in `path` were done.
    package static func interrupted(_ path: String) -> FileIOError {
        FileIOError("did not finish with", path, number: ECANCELED)
    }

    package var isInterruption: Bool { number == ECANCELED }

    /// Whether the file system has free bytes, but no inode for another file. Calls statvfs(3) now, on the nearest
    /// existing directory.
    package var lacksInodes: Bool {
        guard number == ENOSPC else { return false }
        var place = path, info = statvfs()
        while unsafe statvfs(place, &info) != 0 {
            guard errno == ENOENT, place != "/", place != "." else { return false }
            place = place.parentPath
        }
        // Btrfs and others that create inodes on demand report zero.
        return info.f_files > 0 && info.f_favail == 0
    }

    package var description: String {
        "\(attempt) \"\(path)\": \(Self.text(of: number))"
    }

    /// The text of strerror_r(3) for an errno.
    package static func text(of number: CInt) -> String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            // The buffer outlives the call, and the call writes at most its size, including the NUL.
            unsafe understudy_error_text(number, buffer.baseAddress!, buffer.count)
            return unsafe String(cString: buffer.baseAddress!)
        }
    }
}

/// Runs system calls, and retries those that a signal interrupted.
package enum SystemCall {
    /// - Returns: The call's result, or its errno.
    @inline(__always)
    package static func run<Value: FixedWidthInteger & Sendable>(_ call: () -> Value) -> Result<Value, Errno> {
        while true {
            let value = call()
            if value != -1 { return .success(value) }
            let number = Glibc.errno
            if number != EINTR { return .failure(Errno(number: number)) }
        }
    }

    package struct Errno: Error {
        package let number: CInt
    }
}

extension Result where Failure == SystemCall.Errno {
    /// The value, or an error that names the attempt and the object.
    package func orThrow(_ attempt: String, _ path: @autoclosure () -> String) throws(FileIOError) -> Success {
        switch self {
        case .success(let value): return value
        case .failure(let errno): throw FileIOError(attempt, path(), number: errno.number)
        }
    }
}
