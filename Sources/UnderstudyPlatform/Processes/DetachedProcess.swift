import CUnderstudyLinux
import Glibc

/// Starts processes that outlive this one.
package enum DetachedProcess {
    /// This program's own file, whatever the name by which it was called.
    package static let thisProgram = "/proc/self/exe"

    /// The path of this program's file; nil if /proc is not there.
    package static var pathOfThisProgram: String? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            // The call writes at most the size of the buffer, without a NUL.
            let count = unsafe readlink(thisProgram, buffer.baseAddress!, buffer.count)
            guard count > 0 else { return nil }
            return unsafe String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// Starts a program in a session of its own, in the working directory of this process, with standard streams that lead
    /// nowhere: posix_spawn(3). Nobody waits for it.
    ///
    /// - Parameters:
    ///   - arguments: The whole command line, the program's name first.
    ///   - variable: `NAME=VALUE`, added to the environment of this process.
    package static func start(_ path: String, _ arguments: [String], variable: String) throws(FileIOError) {
        var environment = [variable]
        var next = unsafe understudy_environment()
        // environ ends with a null pointer, and nobody changes it while the command runs.
        while let entry = unsafe next?.pointee {
            environment.append(unsafe String(cString: entry))
            unsafe next = next! + 1
        }
        let status = unsafe withCStrings(arguments) { arguments in
            unsafe withCStrings(environment) { environment in
                unsafe understudy_spawn_detached(path, arguments, environment)
            }
        }
        if status != 0 { throw FileIOError("could not start program", path, number: status) }
    }

    /// Calls `body` with an array of C strings that ends with a null pointer, all valid for the call.
    @unsafe private static func withCStrings<Value>(
        _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Value
    ) -> Value {
        var pointers = unsafe texts.map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.withUnsafeBufferPointer { for index in $0.indices { unsafe free($0[index]) } } }
        return unsafe pointers.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!) }
    }
}
