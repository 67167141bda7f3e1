import Glibc
import UnderstudyTestSupport

/// A run of the program, looked at from outside until it is over.
struct Watched {
    /// The exit status, or 128 plus the signal that ended it.
    var status: Int32 = -1
    var output: [UInt8] = []
    var errors: [UInt8] = []
    /// kB.
    var peak = 0
    /// From the signal to the end; nil where none was sent.
    var obeyed: Duration?
    /// It had to be killed.
    var isStubborn = false
    /// A process of its group outlived it.
    var hasLeft = false
    var time = Duration.zero

    /// How long a signal may take to end it.
    static let patience = Duration.seconds(10)
    /// So much of what it prints is kept.
    private static let mostPrinted = 1 << 20

    /// - Parameters:
    ///   - name: What the program is called as.
    ///   - moment: When the server has said what should bring the signal.
    ///   - limit: How long the run may take of itself once it has connected, until the signal comes all the same.
    static func run(
        _ program: String, as name: String, _ words: [String], environment: [String], in directory: String,
        signal: Int32, moment: Moment, limit: Duration
    ) throws -> Watched {
        var watched = Watched()
        let (child, pipes) = try spawn(program, [name] + words, environment: environment, directory: directory)
        let begin = ContinuousClock.now
        var sent: ContinuousClock.Instant?
        var files = [
            pollfd(fd: pipes[0], events: Int16(POLLIN), revents: 0),
            pollfd(fd: pipes[1], events: Int16(POLLIN), revents: 0),
        ]
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while files.contains(where: { $0.fd >= 0 }) {
            // SAFETY: poll writes into the array's two elements.
            _ = unsafe poll(&files, 2, 10)
            for index in 0..<2 where files[index].fd >= 0 && files[index].revents != 0 {
                let count = unsafe read(files[index].fd, &buffer, buffer.count)
                if count <= 0 {
                    close(files[index].fd)
                    files[index].fd = -1
                } else if index == 0 {
                    watched.output += buffer[..<min(count, max(0, mostPrinted - watched.output.count))]
                } else {
                    watched.errors += buffer[..<min(count, max(0, mostPrinted - watched.errors.count))]
                }
            }
            let now = ContinuousClock.now
            if let sent {
                if now - sent > patience, !watched.isStubborn {
                    watched.isStubborn = true
                    kill(-child, SIGKILL)
                }
                if now - sent > patience + .seconds(2) { break }
            } else if moment.isDue(now, limit) || now - begin > .seconds(20) {
                sent = now
                kill(child, signal)
            }
        }
        for file in files where file.fd >= 0 { close(file.fd) }
        var status: Int32 = 0
        var usage = rusage()
        while unsafe wait4(child, &status, 0, &usage) == -1, errno == EINTR {}
        let end = ContinuousClock.now
        watched.obeyed = sent.map { end - $0 }
        watched.time = end - begin
        watched.status = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
        watched.peak = usage.ru_maxrss
        watched.hasLeft = kill(-child, 0) == 0
        if watched.hasLeft { kill(-child, SIGKILL) }
        return watched
    }

    private static func spawn(
        _ program: String, _ words: [String], environment: [String], directory: String
    ) throws -> (child: pid_t, pipes: [CInt]) {
        var out: [CInt] = [0, 0], err: [CInt] = [0, 0]
        // SAFETY: pipe writes two numbers; the objects are initialised before use and destroyed at the end; the arrays of
        // C strings end with nil and are freed behind the call.
        guard unsafe pipe(&out) == 0, unsafe pipe(&err) == 0 else { throw SupportError("no pipe: errno \(errno)") }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, out[1], 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, err[1], 2)
        // What other runs have open is none of this one's business.
        _ = unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        _ = unsafe posix_spawn_file_actions_addchdir_np(&actions, directory)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
        var argv = unsafe words.map { unsafe strdup($0) } + [nil]
        var envp = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (argv + envp).forEach { unsafe free($0) } }
        var child: pid_t = 0
        let failure = unsafe posix_spawn(&child, program, &actions, &attributes, &argv, &envp)
        close(out[1])
        close(err[1])
        guard failure == 0 else { throw SupportError("could not start \(program): errno \(failure)") }
        return (child, [out[0], err[0]])
    }
}

/// The moment at which the server has said what should bring the signal, and how long after it the signal comes.
final class Moment: Sendable {
    private let came = Locked<ContinuousClock.Instant?>(nil)
    private let begun = Locked<ContinuousClock.Instant?>(nil)
    private let delay: Duration?

    /// - Parameter delay: nil for no signal.
    init(delay: Duration?) { self.delay = delay }

    func come() { came.withLock { if $0 == nil { $0 = .now } } }

    var hasCome: Bool { came.withLock { $0 != nil } }

    /// Somebody logs in.
    func begin() { begun.withLock { if $0 == nil { $0 = .now } } }

    func isDue(_ now: ContinuousClock.Instant, _ limit: Duration) -> Bool {
        if let delay, let came = came.withLock({ $0 }), now - came >= delay { return true }
        guard let begun = begun.withLock({ $0 }) else { return false }
        return now - begun > limit
    }
}

// glibc has them (2.34, 2.29), but for programs of GNU alone, which its Swift module is not.
@_silgen_name("posix_spawn_file_actions_addclosefrom_np")
private func posix_spawn_file_actions_addclosefrom_np(
    _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ first: CInt
) -> CInt

@_silgen_name("posix_spawn_file_actions_addchdir_np")
private func posix_spawn_file_actions_addchdir_np(
    _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ path: UnsafePointer<CChar>
) -> CInt
