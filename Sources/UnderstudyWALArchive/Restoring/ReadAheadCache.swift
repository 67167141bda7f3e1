import Glibc
import UnderstudyPlatform
import UnderstudyWAL

/// The directory beside a server's WAL into which ``WALReadAhead`` unpacks segments. It belongs to one process at a time,
/// which holds the lock of the file `lock`; what that file says tells its segments from those of a process that was killed.
struct ReadAheadCache {
    static let name: RelativePath = "understudy.ahead"
    static let lock: RelativePath = "lock"
    private static let wanted: RelativePath = "wanted"

    let directory: ConfinedDirectory
    private let target: RestoreTarget
    /// Tells the process from others before it.
    let session: String
    /// What the process restores from.
    let archive: String

    /// The cache that a process fills for the same archive; nil if there is none.
    init?(_ target: RestoreTarget, _ restore: WALRestore) {
        guard let directory = Self.open(in: target.directory),
            let file = try? directory.openFile(Self.lock, flags: O_RDONLY)
        else { return nil }
        if FileLock.take(.probe, of: file.rawValue) {
            FileLock.release(file.rawValue)
            return nil
        }
        let bytes = (try? file.read(atMost: 256, path: Self.name.description)) ?? []
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ").map(String.init)
        guard words.count == 2, words[1] == restore.fingerprint else { return nil }
        self.init(directory, target, session: words[0], archive: words[1])
    }

    /// - Parameter session: Of this process, which holds the lock.
    init(_ directory: ConfinedDirectory, _ target: RestoreTarget, session: String, archive: String) {
        self.directory = directory
        self.target = target
        self.session = session
        self.archive = archive
    }

    /// Opens the directory; nil if it does not exist, or is another user's.
    static func open(in parent: ConfinedDirectory) -> ConfinedDirectory? {
        guard let directory = try? parent.openDirectory(name), let found = try? directory.modeAndOwner(),
            found.owner.user == FileOwner.ofThisProcess.user, found.mode & 0o022 == 0
        else { return nil }
        return directory
    }

    /// Of the segments, which are to be the server's.
    var fileMode: UInt16 { target.mode }

    func fileName(_ segment: String) -> RelativePath { RelativePath("\(segment).\(session)") }

    /// Moves a segment into its place, if it is ready.
    ///
    /// - Returns: Where it was; nil if it is not ready.
    func take(_ segment: String) -> String? {
        note(segment)
        let file = fileName(segment)
        let path = RelativePath("\(Self.name)/\(file)")
        do throws(FileIOError) {
            guard directory.exists(file) else { return nil }
            try target.directory.rename(path, to: target.name)
        } catch { return nil }
        return target.directory.fullPath(path)
    }

    /// Tells the process which segment the server has asked for.
    func note(_ segment: String) {
        let new: RelativePath = "wanted.new"
        do throws(FileIOError) {
            if directory.exists(new) { try directory.remove(new) }
            let file = try directory.createFile(new, mode: 0o600)
            try unsafe file.write(Array(segment.utf8).span.bytes, at: 0, path: directory.fullPath(new))
            try directory.rename(new, to: Self.wanted)
        } catch {
            // Nothing is unpacked ahead, then.
        }
    }

    /// The segment that the server has asked for last; nil if it has not since the process began.
    var asked: String? {
        (try? directory.read(Self.wanted, atMost: 64)).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension WALRestore {
    /// Equal for the same directories and choices.
    var fingerprint: String {
        let text = directories.joined(separator: "\0") + "\0\(options.servesDiverged)"
        // FNV-1a: it only has to tell a changed command line from the one before.
        let hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return String(hash, radix: 16)
    }

    /// Tells the process that reads ahead which segment was restored.
    ///
    /// - Parameters:
    ///   - name: The segment.
    ///   - path: Where it went.
    /// - Returns: Whether there is such a process. If not, start one that calls ``WALReadAhead/run(after:beside:dataDirectory:)``.
    public func isReadingAhead(of name: String, to path: String) -> Bool {
        guard let target = try? RestoreTarget(path), let cache = ReadAheadCache(target, self) else { return false }
        // It was told when the segment was asked for, unless it began after that.
        if cache.asked != name { cache.note(name) }
        return true
    }
}
