import CUnderstudyLinux
import Glibc

/// This program once more, as a process that outlives this one.
package enum DetachedProcess {
    private static let thisProgram = "/proc/self/exe"

    /// The path of this program's file; nil if /proc is not there.
    package static var pathOfThisProgram: String? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            // The call writes at most the size of the buffer, without a NUL.
            let count = unsafe readlink(thisProgram, buffer.baseAddress!, buffer.count)
            guard count > 0 else { return nil }
            return unsafe String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// Starts this program in a session of its own, in the working directory of this process, with standard streams that
    /// lead nowhere. Nobody waits for it.
    ///
    /// - Parameters:
    ///   - title: Stands before the command line in lists of processes, in place of the program's name.
    ///   - arguments: The command line after the program's name.
    ///   - environment: Added to that of this process.
    package static func start(
        _ title: String, _ arguments: [String], environment: [String: String]
    ) throws(FileIOError) {
        _ = try spawn(thisProgram, as: title, arguments, .own(with: environment), ownSession: true)
    }

    /// Gives the process that ``start(_:_:environment:)`` has started the short name that lists show, which is `exe` before.
    /// On its first thread.
    package static func takeName(_ name: String) { unsafe understudy_name_this_thread(name) }
}
