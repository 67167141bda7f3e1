import Glibc
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Handles files whose content does not match their names.
extension ArchiveSurvey {
    /// Sets the misnamed files aside: the stream and a restore need their names for the right segments.
    mutating func setMisnamedAside(_ misnamed: [ArchivedSegment]) throws(WALDestinationError) {
        guard !misnamed.isEmpty else { return }
        var names: [String] = []
        for segment in misnamed { names.append(try setAside(segment)) }
        found.warnings.append(
            "\(files(names.count)) in \"\(directory.path)\" did not hold the WAL that the name says, and \(names.count == 1 ? "was" : "were") set aside: \(Self.few(names))"
        )
    }

    /// Renames a file that has a complete segment's name but is incomplete, such as the newest one of a copy of pg_wal,
    /// to a partial segment: its WAL can still be found, and the rest is streamed.
    mutating func makePartial(_ segment: ArchivedSegment) throws(WALDestinationError) {
        let partial = ArchivedSegment(segment: segment.segment, compression: segment.compression, isPartial: true)
        let contents = ArchivedContents(segment, in: directory), other = ArchivedContents(partial, in: directory)
        let end = try contents.extent()?.end ?? 0
        if directory.exists(other.name) {
            let isLonger = try other.extent()?.end ?? 0 >= end
            let name = try setAside(isLonger ? segment : partial)
            found.warnings.append(
                "\"\(directory.fullPath(contents.name))\" was not complete, and \"\(name)\" was set aside")
            if isLonger { return }
        } else {
            found.warnings.append("\"\(directory.fullPath(contents.name))\" is not complete, and is partial now")
        }
        try writing { () throws(FileIOError) in
            try directory.rename(contents.name, to: other.name)
            try directory.sync()
        }
    }

    // MARK: - All files

    /// The most files that are checked: older ones were checked when they were newer.
    private static let mostFiles = 10_000

    /// Compares every file's first page with its name, and finds what is missing between the first file and the
    /// position where the stream continues.
    ///
    mutating func lookAtAll(_ plan: ArchivePlan, _ reader: inout SurveyReader) throws(WALDestinationError) {
        var wrong: Set<ArchivedSegment> = []
        for file in plan.past.map(\.file).dropFirst().prefix(Self.mostFiles) where !file.isPartial {
            if try !reader.hasItsName(file) { wrong.insert(file) }
        }
        if !wrong.isEmpty {
            let names = wrong.map(\.fileName).sorted()
            found.warnings.append(
                "\(files(names.count)) in \"\(directory.path)\" \(names.count == 1 ? "does" : "do") not hold the WAL that the name says: \(Self.few(names))"
            )
        }
        var right = plan
        right.past.removeAll { wrong.contains($0.file) }
        found.missing = try right.gaps(except: found.gaps, reading: &reader)
    }

    private static let mostNamed = 5

    private func files(_ count: Int) -> String { count == 1 ? "1 file" : "\(count) files" }

    private static func few(_ names: [String]) -> String {
        let shown = names.prefix(mostNamed).joined(separator: ", ")
        return names.count > mostNamed ? "\(shown) and \(names.count - mostNamed) more" : shown
    }

    // MARK: - Stale partial files

    /// Removes partial files of complete segments once it is certain that they hold nothing more. Such files are left
    /// when the compression is changed.
    mutating func removeStale(_ plan: ArchivePlan) throws(WALDestinationError) {
        var isChanged = false
        for (partial, whole) in plan.stale {
            guard try holdsNoMore(partial, than: whole) else { continue }
            try syncing { () throws(FileIOError) in
                // The complete file may never have been synced.
                let name = RelativePath(whole.fileName)
                try directory.openFile(name, flags: O_RDWR).sync(path: directory.fullPath(name))
            }
            try writing { () throws(FileIOError) in try directory.remove(RelativePath(partial.fileName)) }
            isChanged = true
        }
        if isChanged { try syncing { () throws(FileIOError) in try directory.sync() } }
    }

    private func holdsNoMore(
        _ partial: ArchivedSegment, than whole: ArchivedSegment
    ) throws(WALDestinationError) -> Bool {
        let held = ArchivedContents(whole, in: directory), more = ArchivedContents(partial, in: directory)
        guard try held.flaw() == nil, try held.extent()?.isWhole == true, try more.flaw() == nil else { return false }
        // One file is read from beginning to end. The other may be compressed, which allows no access in the middle: it
        // is then kept in memory, so it must not be huge.
        let (read, placed) = whole.compression == .none ? (more, held) : (held, more)
        var all: [UInt8]?
        if placed.segment.compression != .none {
            guard partial.segment.size.bytes <= 64 << 20 else { return false }
            all = try placed.bytes(0..<Int(partial.segment.size.bytes))
        }
        var offset = 0, isSame = true
        try read.pages(of: 1 << 20) { page throws(WALDestinationError) in
            let range = offset..<offset + page.count
            let other: [UInt8]
            if let all { other = Array(all[range.clamped(to: all.indices)]) } else { other = try placed.bytes(range) }
            let (mine, complete) = read.segment == partial ? (page, other) : (other, page)
            // What a partial file lacks at its end, or has zeros for, was not received.
            let end = unsafe mine.span.bytes.endOfContent
            isSame = complete.prefix(end) == mine.prefix(end)
            offset = range.upperBound
            return isSame
        }
        return isSame
    }
}
