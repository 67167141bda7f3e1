import Glibc
import UnderstudyFileIO

extension ConfinedDirectory {
    /// Where files go that are in the way of the archive: never removed, never overwritten.
    static let asideName = "diverged"

    /// Moves a file into `diverged`, under its name with the time behind it, durably.
    ///
    /// - Parameter mode: Of the archive's files.
    /// - Returns: The new name, from the archive on.
    func setAside(_ name: RelativePath, mode: UInt16) throws(FileIOError) -> String {
        let aside = RelativePath(Self.asideName)
        if !exists(aside) {
            try makeDirectory(aside, mode: mode & 0o040 == 0 ? 0o700 : 0o750)
            try sync()
        }
        let base = "\(Self.asideName)/\(name).\(Self.timeText(time(nil)))"
        var new = base, attempt = 1
        while try !renameIfFree(name, to: RelativePath(new)) {
            attempt += 1
            new = "\(base)-\(attempt)"
        }
        try openDirectory(aside).sync()
        try sync()
        return new
    }

    /// `20261124T081500Z`
    private static func timeText(_ time: time_t) -> String {
        var seconds = time, fields = unsafe tm()
        // gmtime_r fills the struct.
        unsafe gmtime_r(&seconds, &fields)
        func padded(_ number: CInt) -> String { number < 10 ? "0\(number)" : String(number) }
        let date = unsafe "\(fields.tm_year + 1900)\(padded(fields.tm_mon + 1))\(padded(fields.tm_mday))"
        return unsafe "\(date)T\(padded(fields.tm_hour))\(padded(fields.tm_min))\(padded(fields.tm_sec))Z"
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
            if bytes.contains(where: { $0 != 0 }) { return true }
            if bytes.count < step { return false }
            offset += Int64(step)
        }
    }
}
