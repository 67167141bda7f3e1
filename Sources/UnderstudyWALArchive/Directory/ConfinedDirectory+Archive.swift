import Glibc
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

extension ConfinedDirectory {
    /// The directory for files that are in the way of the archive. They are never removed or overwritten.
    static let asideName = "diverged"

    /// The names of the files, without those of directories.
    func fileNames() throws(WALDestinationError) -> [String] {
        try writing { () throws(FileIOError) in try entries() }.filter { $0.kind == .file }.map { "\($0.name)" }
    }

    /// Moves a file into `diverged`, durably, and appends the time to its name.
    ///
    /// - Parameters:
    ///   - mode: The mode of the archive's files.
    ///   - original: The name to give it there, if not its own.
    /// - Returns: The new name, relative to the archive.
    func setAside(
        _ name: RelativePath, as original: RelativePath? = nil, mode: UInt16
    ) throws(FileIOError) -> String {
        let aside = RelativePath(Self.asideName)
        if !exists(aside) {
            try makeDirectory(aside, mode: mode & 0o040 == 0 ? 0o700 : 0o750)
            try sync()
        }
        let base = "\(Self.asideName)/\(original ?? name).\(UTCTime.now.compactText)"
        var new = base, attempt = 1
        while try !renameIfFree(name, to: RelativePath(new)) {
            attempt += 1
            new = "\(base)-\(attempt)"
        }
        try openDirectory(aside).sync()
        try sync()
        return new
    }

    /// Whether two files hold the same bytes.
    func haveEqualContent(_ one: RelativePath, _ other: RelativePath) throws(FileIOError) -> Bool {
        guard try sizeAndMode(of: one).size == sizeAndMode(of: other).size else { return false }
        let step = 1 << 20
        var offset: Int64 = 0
        while true {
            let left = try read(one, from: offset, atMost: step), right = try read(other, from: offset, atMost: step)
            if left != right { return false }
            if left.count < step { return true }
            offset += Int64(step)
        }
    }

    /// Whether a file has anything but zeros from an offset on.
    func hasContent(_ name: RelativePath, from start: Int64) throws(FileIOError) -> Bool {
        let step = 1 << 20
        var offset = start
        while true {
            let bytes = try read(name, from: offset, atMost: step)
            if unsafe !bytes.span.bytes.isZero { return true }
            if bytes.count < step { return false }
            offset += Int64(step)
        }
    }
}
