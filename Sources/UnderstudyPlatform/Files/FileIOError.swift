import CUnderstudyLinux
import Glibc

/// A system call on a file that failed: what was tried, on which object, and why.
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

    /// Whether room was lacking. The only failures of a write that may be tried again.
    package var isNoSpace: Bool { number == ENOSPC || number == EDQUOT }

    /// The run was told to stop before all files in `path` had their turn.
    package static func interrupted(_ path: String) -> FileIOError {
        FileIOError("did not finish with", path, number: ECANCELED)
    }

    package var isInterruption: Bool { number == ECANCELED }

    /// Whether the file system has room for bytes, but none for a further file: statvfs(3) now, of the nearest directory
    /// that is there.
    package var lacksInodes: Bool {
        guard number == ENOSPC else { return false }
        var place = path, info = statvfs()
        while unsafe statvfs(place, &info) != 0 {
            guard errno == ENOENT, place != "/", place != "." else { return false }
            place = place.parentPath
        }
        // Btrfs and others that make inodes as they need them count none.
        return info.f_files > 0 && info.f_favail == 0
    }

    package var description: String {
        "\(attempt) \"\(path)\": \(Self.text(of: number))"
    }

    /// The text of strerror_r(3) for an errno.
    package static func text(of number: CInt) -> String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            // The buffer outlives the call, and the call writes at most its size with the NUL.
            unsafe understudy_error_text(number, buffer.baseAddress!, buffer.count)
            return unsafe String(cString: buffer.baseAddress!)
        }
    }
}

/// The gate for system calls: tries again when a signal interrupted the call.
package enum SystemCall {
    /// - Returns: What the call returned, or the errno it failed with.
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
    /// The value, or an error that says what was tried on what.
    package func orThrow(_ attempt: String, _ path: @autoclosure () -> String) throws(FileIOError) -> Success {
        switch self {
        case .success(let value): return value
        case .failure(let errno): throw FileIOError(attempt, path(), number: errno.number)
        }
    }
}
