import CUnderstudyLinux
import Glibc

/// What a child gets as its environment.
enum ChildEnvironment {
    case exactly([String: String])
    /// That of this process, but for some variables, and with others.
    case own(without: [String] = [], with: [String: String] = [:])
}

/// Starts a program: posix_spawn(3). Its standard input is empty; it inherits none of our descriptors but those that are given
/// here, and signals work in it as they do in one started from a shell.
///
/// - Parameters:
///   - name: The first word of its command line; nil for the path.
///   - output: Its standard output; what it writes is discarded if nil. `errors` likewise.
///   - ownGroup: Whether it leads a process group of its own, so that keys typed at the terminal do not end it.
///   - ownSession: Whether it leads a session of its own, and so outlives what this process belongs to.
func spawn(
    _ path: String, as name: String? = nil, _ arguments: [String], _ environment: ChildEnvironment,
    output: CInt? = nil, errors: CInt? = nil, ownGroup: Bool = false, ownSession: Bool = false
) throws(FileIOError) -> pid_t {
    // The actions and attributes are initialised before use and destroyed at the end. The arrays of C strings end with nil,
    // and are freed after the call, which copies what it needs.
    var actions = unsafe posix_spawn_file_actions_t(), attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var failures = unsafe [posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)]
    for (place, descriptor) in [(STDOUT_FILENO, output), (STDERR_FILENO, errors)] {
        failures.append(
            unsafe descriptor.map { unsafe posix_spawn_file_actions_adddup2(&actions, $0, place) }
                ?? posix_spawn_file_actions_addopen(&actions, place, "/dev/null", O_WRONLY, 0))
    }
    // Also those that our caller has left open.
    failures.append(unsafe understudy_close_from(&actions, 3))
    var none = sigset_t(), ours = sigset_t()
    unsafe sigemptyset(&none)
    unsafe sigemptyset(&ours)
    // We ignore it; what we handle is as it was from the start of the program on.
    unsafe sigaddset(&ours, SIGPIPE)
    var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    if ownGroup { flags |= POSIX_SPAWN_SETPGROUP }
    if ownSession { flags |= understudy_SPAWN_SETSID }
    failures += unsafe [
        posix_spawnattr_setsigmask(&attributes, &none), posix_spawnattr_setsigdefault(&attributes, &ours),
        posix_spawnattr_setpgroup(&attributes, 0), posix_spawnattr_setflags(&attributes, Int16(flags)),
    ]
    if let failure = failures.first(where: { $0 != 0 }) { throw FileIOError(attempt, path, number: failure) }
    let words = unsafe ([name ?? path] + arguments).map { unsafe strdup($0) } + [nil]
    let variables = unsafe strings(of: environment) + [nil]
    defer { unsafe (words + variables).forEach { unsafe free($0) } }
    var process: pid_t = 0
    let failure = unsafe posix_spawn(&process, path, &actions, &attributes, words, variables)
    guard failure == 0 else { throw FileIOError(attempt, path, number: failure) }
    return process
}

private let attempt = "could not run"

/// `NAME=value`, made by malloc(3).
private func strings(of environment: ChildEnvironment) -> [UnsafeMutablePointer<CChar>?] {
    switch environment {
    case .exactly(let variables): return unsafe variables.map { unsafe strdup("\($0.key)=\($0.value)") }
    case .own(let without, let with):
        var all = unsafe strings(of: .exactly(with))
        // Ends with nil, and nobody changes it: we set no variables.
        guard var next = unsafe understudy_environment() else { return unsafe all }
        while let entry = unsafe next.pointee {
            let name = unsafe String(cString: entry).prefix { $0 != "=" }
            if !without.contains(String(name)) { unsafe all.append(strdup(entry)) }
            unsafe next += 1
        }
        return unsafe all
    }
}
