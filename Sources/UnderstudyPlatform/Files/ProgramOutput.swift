import CUnderstudyLinux
import Glibc

/// Runs a program and returns its standard output, at most `limit` bytes; nil if it cannot be run. Its standard input
/// is empty, and its standard error is discarded. Waits for the program, so it must end at once.
///
/// - Parameter environment: The program's whole environment.
package func outputOfProgram(
    _ path: String, _ arguments: [String], environment: [String: String], atMost limit: Int
) -> [UInt8]? {
    var ends: [CInt] = [-1, -1]
    guard unsafe understudy_pipe(&ends) == 0 else { return nil }
    let source = FileDescriptor(owning: ends[0])
    let process: pid_t
    do {
        // Our copy of the write end is closed once the program has its own.
        let sink = FileDescriptor(owning: ends[1])
        guard let started = try? spawn(path, arguments, .exactly(environment), output: sink.rawValue) else {
            return nil
        }
        process = started
    }
    var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 4096)
    while true {
        // At most `buffer.count` bytes are written.
        let result = unsafe buffer.withUnsafeMutableBytes { buffer in
            SystemCall.run { unsafe read(source.rawValue, buffer.baseAddress, buffer.count) }
        }
        guard case .success(let count) = result, count > 0 else { break }
        bytes += buffer.prefix(min(count, limit - bytes.count))
    }
    var status: CInt = 0
    // waitpid fills the number.
    _ = SystemCall.run { unsafe waitpid(process, &status, 0) }
    return bytes
}
