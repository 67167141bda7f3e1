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
        guard let started = spawn(path, arguments, environment, output: sink.rawValue) else { return nil }
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

/// posix_spawn(3).
private func spawn(_ path: String, _ arguments: [String], _ environment: [String: String], output: CInt) -> pid_t? {
    // The actions are initialised before use and destroyed at the end. The arrays of C strings end with nil, and are
    // freed after the call, which copies what it needs.
    var actions = unsafe posix_spawn_file_actions_t()
    guard unsafe posix_spawn_file_actions_init(&actions) == 0 else { return nil }
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    guard unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) == 0,
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1) == 0,
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) == 0
    else { return nil }
    let words = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
    let variables = unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
    defer { unsafe (words + variables).forEach { unsafe free($0) } }
    var process: pid_t = 0
    guard unsafe posix_spawn(&process, path, &actions, nil, words, variables) == 0 else { return nil }
    return process
}
