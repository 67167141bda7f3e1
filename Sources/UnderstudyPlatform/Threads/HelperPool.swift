/// The threads of a process for work that waits for a disk or a server: bounded, and shared by all that have such work.
///
/// All that waits for one place has a ``HelperLane``: a place that hangs keeps the threads of its own lane, and no
/// others. A lane's first thread can always be started; what all lanes have beyond that is limited together.
package final class HelperPool: Sendable {
    /// What work waits for.
    package enum Place: Hashable, Sendable {
        /// By its device number: st_dev of stat(2).
        case fileSystem(UInt64)
        /// By host and port.
        case server(String)
        /// Nothing in particular.
        case process
    }

    package typealias Start =
        @Sendable (StaticString, @escaping @Sendable () -> Void) throws(FileIOError) -> OwnThread

    /// That of this process.
    package static let shared = HelperPool()

    private struct WeakLane {
        weak var lane: HelperLane?
    }

    private let lanes = Monitor<[Place: WeakLane]>([:])
    private let furtherThreads = Monitor(0)
    private let threadsPerFileSystem: Int
    private let mostFurtherThreads: Int
    private let idleTime: Duration
    private let start: Start

    /// - Parameters:
    ///   - threadsPerFileSystem: The most threads of a lane for a file system.
    ///   - furtherThreads: The most threads of all lanes together, without the first one of each.
    ///   - idleTime: How long a thread waits for more work before it ends. The last one for a file system stays as long
    ///     as anybody may have work for it.
    ///   - start: Starts a thread; tests make it fail.
    package init(
        threadsPerFileSystem: Int = 16, furtherThreads: Int = 64, idleTime: Duration = .seconds(5),
        start: @escaping Start = { (name, body) throws(FileIOError) in try OwnThread(name, body) }
    ) {
        self.threadsPerFileSystem = threadsPerFileSystem
        mostFurtherThreads = furtherThreads
        self.idleTime = idleTime
        self.start = start
    }

    /// The lane for a place: the same one for all that use it at a time.
    package func lane(_ place: Place) -> HelperLane {
        lanes.change { lanes in
            if let lane = lanes[place]?.lane { return lane }
            lanes = lanes.filter { $0.value.lane != nil }
            let lane =
                switch place {
                case .fileSystem, .process:
                    makeLane("wal helper", limit: threadsPerFileSystem, idleTime: idleTime, keepsThread: true)
                // Polls are rare, one after the other, and there may be as many servers as archivers: threads do not stay.
                case .server:
                    makeLane("wal watch", limit: 1, idleTime: min(idleTime, .milliseconds(100)), keepsThread: false)
                }
            lanes[place] = WeakLane(lane: lane)
            return lane
        }
    }

    /// A lane of one thread for work that waits for what only its owner knows.
    package func ownLane(_ name: StaticString) -> HelperLane {
        makeLane(name, limit: 1, idleTime: idleTime, keepsThread: true)
    }

    private func makeLane(_ name: StaticString, limit: Int, idleTime: Duration, keepsThread: Bool) -> HelperLane {
        HelperLane(name, limit: limit, idleTime: idleTime, keepsThread: keepsThread, pool: self, start: start)
    }

    /// - Returns: Whether a lane may have another thread beside its first.
    func takeFurtherThread() -> Bool {
        furtherThreads.change { count in
            guard count < mostFurtherThreads else { return false }
            count += 1
            return true
        }
    }

    func giveBackFurtherThread() {
        furtherThreads.change { count in
            precondition(count > 0, "a thread was given back that nobody had")
            count -= 1
        }
    }
}

/// Work that threads of a pool do in slices.
package protocol PooledWork: AnyObject, Sendable {
    /// Does some of the work. Called by one thread at a time, which must not wait for work that no thread has begun.
    ///
    /// - Returns: Whether there is more to do. If not, it is called again only after it was scheduled again.
    func runSlice() -> Bool
}
