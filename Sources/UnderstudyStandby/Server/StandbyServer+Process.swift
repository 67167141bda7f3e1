import Glibc
import Synchronization
import UnderstudyBackup
import UnderstudyPlatform

/// The process behind postmaster.pid. The file is trusted only if it names the server that this run started; no other
/// process is queried, trusted or ended.
extension StandbyServer {
    enum Standing: Equatable {
        /// There is no readable postmaster.pid.
        case none
        /// The server of this directory, started by this run.
        case ours(PostmasterFile, RunningProcess)
        /// The file names a process that is gone, or has nothing to do with this directory.
        case foreign(Int32)
        /// A process works in this directory, or may do so, and is not known to be the server started here.
        case uncertain(Int32)
    }

    /// The current state of the server.
    func standing() -> Standing {
        guard let file = read("postmaster.pid").flatMap(PostmasterFile.init) else { return .none }
        let user = owner?.user ?? geteuid()
        guard let process = RunningProcess(file.processID) else {
            return RunningProcess.isHidden(file.processID) ? .uncertain(file.processID) : .foreign(file.processID)
        }
        // A server refuses a directory that does not belong to its own user.
        guard process.user == user else { return .foreign(file.processID) }
        let isSince = began.read { $0 }.map { process.began >= $0 } ?? false
        // A postmaster changes into its data directory before it writes the file.
        let place = process.workingDirectory(owner: owner?.fileOwner)
        let isHere = try? place.map { try $0 == ConfinedDirectory(path: directory).identity() }
        guard let isHere else { return isSince ? .uncertain(file.processID) : .foreign(file.processID) }
        guard isHere else { return .foreign(file.processID) }
        guard isSince else { return .uncertain(file.processID) }
        return .ours(file, process)
    }

    /// The postmaster.pid of the server that this run started; nil if there is none.
    func postmaster() -> PostmasterFile? {
        if case .ours(let file, _) = standing() { return file }
        return nil
    }

    /// Ends a start in progress: the server, whether or not it has written postmaster.pid, and the pg_ctl that waits
    /// for it.
    func endStart<Outcome: Sendable>(_ starting: Task<Outcome, Never>) async {
        let isOver = Atomic(false)
        let waiting = Task {
            _ = await starting.value
            isOver.store(true, ordering: .releasing)
        }
        let clock = ContinuousClock(), begin = clock.now
        while !isOver.load(ordering: .acquiring) {
            if postmaster() != nil {
                _ = await stopImmediately()
            } else {
                endStarters(withPgCtl: clock.now - begin > Self.pgCtlStopLimit)
            }
            // Nothing cancels this task, so it really sleeps.
            try? await Task.sleep(for: .milliseconds(20))
        }
        await waiting.value
    }

    /// Kills a server that has not written postmaster.pid: it has no shared memory and no other processes yet, and may
    /// not react to another signal, for example while it reads a configuration file that is a pipe. pg_ctl notices, and
    /// ends.
    private func endStarters(withPgCtl: Bool) {
        guard let began = began.read({ $0 }), let files = try? ConfinedDirectory(path: directory) else { return }
        for process in RunningProcess.programs(ofServerIn: files, since: began) {
            let program = process.arguments.first?.split(separator: UInt8(ascii: "/")).last
            let isServer = program?.elementsEqual("postgres".utf8) ?? false
            if isServer || withPgCtl { process.send(SIGKILL, group: !isServer) }
        }
    }

    /// Sends a signal to the server, if it is ours, and waits until it is gone.
    ///
    /// Does not use pg_ctl, which signals whatever process the file names by then.
    ///
    /// - Parameter killAfter: The time after which it is killed; nil to wait as long as pg_ctl does, and then leave it.
    /// - Returns: Whether no server runs there any more.
    func end(_ signal: CInt, killAfter: Duration? = nil) async -> Bool {
        switch standing() {
        case .none, .foreign: return true
        case .uncertain: return false
        case .ours(_, let process):
            guard kill(process.number, signal) == 0 || errno == ESRCH else { return false }
            let clock = ContinuousClock(), deadline = clock.now + Self.longestStop
            let limit = killAfter.map { clock.now + $0 }
            while process.isAlive {
                if let limit, clock.now > limit { process.send(SIGKILL) }
                guard clock.now < deadline else { return false }
                // A separate task, which nothing cancels: in this one the pause might be cut short.
                await Task { try? await Task.sleep(for: .milliseconds(20)) }.value
            }
            return true
        }
    }

    /// As long as pg_ctl waits.
    private static let longestStop = Duration.seconds(60)
    /// In an immediate shutdown, a server gives its processes five seconds.
    static let serverStopLimit = Duration.seconds(7)
    private static let pgCtlStopLimit = Duration.seconds(3)
}
