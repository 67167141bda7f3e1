import Glibc
public import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Unpacks the next segments of an archive beside a server's WAL while the server replays one, so that ``WALRestore`` only
/// has to rename them.
///
/// It is the whole work of a process that outlives the call of restore_command, and ends by itself: when the server has
/// ended or is not in recovery any more, when another archive is restored from, or when nothing was asked for during a
/// minute. It then removes what it has unpacked.
public struct WALReadAhead: Sendable {
    public var restore: WALRestore
    /// How long nothing may be asked for.
    private let idleLimit: Duration

    /// - Parameter restore: With ``WALRestore/Options/readAhead`` above 0.
    public init(_ restore: WALRestore) {
        self.init(restore, idleLimit: .seconds(60))
    }

    init(_ restore: WALRestore, idleLimit: Duration) {
        self.restore = restore
        self.idleLimit = idleLimit
    }

    private static let pause = Duration.milliseconds(5)
    private static let longestPause = Duration.milliseconds(100)
    /// How often the server is looked at.
    private static let lookInterval = Duration.seconds(1)

    /// Runs until there is nothing more to do.
    ///
    /// - Parameters:
    ///   - name: The segment that was restored last.
    ///   - path: Where it went: the cache is a directory `understudy.ahead` beside it.
    public func run(after name: String, beside path: String, dataDirectory: String = ".") async throws(UnderstudyError)
    {
        let interrupt = Interrupt()
        try await OwnThread.run(
            "wal read-ahead", interrupt: interrupt, failure: { UnderstudyError($0) }
        ) { () throws(UnderstudyError) in
            do throws(FileIOError) { try self.work(name, try RestoreTarget(path), dataDirectory, interrupt) } catch {
                throw UnderstudyError(error)
            }
        }
    }

    /// The same, on the calling thread.
    func work(
        _ name: String, _ target: RestoreTarget, _ dataDirectory: String, _ interrupt: Interrupt
    ) throws(FileIOError) {
        if ReadAheadCache.open(in: target.directory) == nil {
            try target.directory.makeDirectory(ReadAheadCache.name, mode: 0o700)
        }
        guard let directory = ReadAheadCache.open(in: target.directory) else { return }
        if !directory.exists(ReadAheadCache.lock) {
            do throws(FileIOError) { _ = try directory.createFile(ReadAheadCache.lock, mode: 0o600) } catch
                where error.number == EEXIST
            {
                // Of another process that begins.
            }
        }
        let lock = try directory.openFile(ReadAheadCache.lock, flags: O_RDWR)
        guard FileLock.take(.exclusive, of: lock.rawValue, waitLimit: FileLock.waitLimit),
            try directory.identity(of: ReadAheadCache.lock) == lock.identity(path: directory.path)
        else { return }
        try Self.empty(directory)
        let cache = ReadAheadCache(
            directory, target, session: "\(getpid()).\(RunningProcess(getpid())?.began ?? 0)",
            archive: restore.fingerprint)
        let words = Array("\(cache.session) \(cache.archive)".utf8)
        try lock.truncate(to: 0, path: directory.path)
        try unsafe lock.write(words.span.bytes, at: 0, path: directory.path)
        defer {
            try? Self.empty(directory)
            try? directory.remove(ReadAheadCache.lock)
            try? target.directory.remove(ReadAheadCache.name, isDirectory: true)
        }
        follow(name, cache, RestoringServer(dataDirectory), interrupt)
    }

    /// Removes all but the lock.
    private static func empty(_ directory: ConfinedDirectory) throws(FileIOError) {
        try directory.removeContents(except: ReadAheadCache.lock)
    }

    private func follow(_ name: String, _ cache: ReadAheadCache, _ server: RestoringServer, _ interrupt: Interrupt) {
        let clock = ContinuousClock()
        var last = name, since = clock.now, looked = clock.now, pause = Self.pause
        var work = Ahead(restore, cache, system: server.system)
        work.begin(after: last)
        while !interrupt.isRaised {
            let now = clock.now
            if let asked = cache.asked, asked != last {
                (last, since, pause) = (asked, now, Self.pause)
                work.begin(after: last)
            }
            if now - since > idleLimit { return }
            if now - looked > Self.lookInterval {
                looked = now
                guard server.isInRecovery else { return }
            }
            if work.unpackNext() { continue }
            _ = Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }
}

/// The segments behind one.
private struct Ahead {
    private let restore: WALRestore
    private let cache: ReadAheadCache
    private let system: String?
    private var left: ArraySlice<String> = []
    /// The same for all segments of a cluster; nil until one was read.
    private var size: WALSegmentSize?

    init(_ restore: WALRestore, _ cache: ReadAheadCache, system: String?) {
        self.restore = restore
        self.cache = cache
        self.system = system
    }

    /// Removes what is of no use any more.
    mutating func begin(after name: String) {
        let names = next(after: name)
        let kept = Set(names.map { "\(cache.fileName($0))" })
        try? cache.directory.forEachEntry { entry throws(FileIOError) in
            let file = "\(entry.name)"
            // What was asked for may be on its way into its place.
            if WALSegmentName.isSegmentName(file.prefix(24)), !kept.contains(file), !file.hasPrefix(name) {
                try? cache.directory.remove(entry.name)
            }
            return true
        }
        left = names.filter { !cache.directory.exists(cache.fileName($0)) }[...]
    }

    private mutating func next(after name: String) -> [String] {
        size = size ?? segmentSize(of: name)
        guard let size, var segment = WALSegmentName(name, size: size) else { return [] }
        var names: [String] = []
        while names.count < restore.options.readAhead, let next = segment.next {
            names.append("\(next)")
            segment = next
        }
        return names
    }

    /// By the first page of this segment's file.
    private func segmentSize(of name: String) -> WALSegmentSize? {
        for file in files(name) {
            guard let bytes = try? file.prefix(WALPageHeader.byteCount), let header = WALPageHeader(bytes) else {
                continue
            }
            return WALSegmentSize(bytes: header.segmentSize)
        }
        return nil
    }

    private func files(_ name: String) -> [StoredFile] {
        var candidates = RestoreCandidates()
        let archives = restore.directories.compactMap { try? ConfinedDirectory(path: $0) }
        for archive in archives where restore.options.servesDiverged {
            try? candidates.lookAside(for: name, in: archive)
        }
        for archive in archives { try? candidates.look(for: name, in: archive) }
        return candidates.complete
    }

    /// Unpacks one segment.
    ///
    /// - Returns: False if there is nothing to do: all are ready, or the next one is not there or not sound, which the
    ///   server's own request tells.
    mutating func unpackNext() -> Bool {
        guard let name = left.popFirst() else { return false }
        for file in files(name) {
            guard let segment = try? RestoredSegment(name, file, system: system) else { break }
            let target = RestoreTarget(cache.directory, cache.fileName(name), mode: cache.fileMode)
            if (try? segment.put(to: target)) == true { return true }
            break
        }
        left = []
        return false
    }
}
