import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// A segment file that is being written.
protocol SegmentOutput: AnyObject, Sendable {
    var segment: WALSegment { get }

    /// Writes the bytes at `offset`. May be repeated after an error: bytes that were already taken count once.
    func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError)

    /// Puts everything written on stable storage, and makes sure that the file is found under its name.
    func sync() throws(WALDestinationError)

    /// How many bytes have been written, from the segment's start.
    var written: Int { get }

    /// How many bytes, from the segment's start, are in the file and survive the end of this process.
    var inFile: Int { get }

    /// The identity of the file, whatever its name, and the size that it has at least, in bytes.
    var identity: FileIdentity { get }
    var fileSize: Int64 { get }

    /// Writes everything that was taken into the file, without syncing it.
    func handOver() throws(WALDestinationError)

    /// Throws unless the file is found under its name, with its full size.
    func checkName() throws(WALDestinationError)

    /// Gives the file its partial name, if it does not have it yet.
    func takeName() throws(WALDestinationError)

    /// Whether it must not get its name yet, because an older file holds more of this segment.
    var isHeldBack: Bool { get }

    /// Completes and closes the file, which keeps its partial name.
    ///
    /// - Parameter sync: Whether to put it on stable storage first.
    func complete(sync: Bool) throws(WALDestinationError)

    /// Closes the file as it is.
    func close() throws(WALDestinationError)
}

extension SegmentOutput {
    /// Throws if the name belongs to another file, or the file has lost bytes.
    func check(_ name: RelativePath, _ directory: ConfinedDirectory) throws(WALDestinationError) {
        let standing = try standing(of: name, directory)
        if standing != .intact { throw taken(directory.fullPath(name), isCut: standing == .cut) }
    }

    /// Throws if the file was truncated. To be called before a write after the lost bytes, which would restore the size
    /// and hide the loss as zeros in the middle.
    func checkSize(_ name: RelativePath, _ directory: ConfinedDirectory) throws(WALDestinationError) {
        if try standing(of: name, directory) == .cut { throw taken(directory.fullPath(name), isCut: true) }
    }

    func standing(
        of name: RelativePath, _ directory: ConfinedDirectory
    ) throws(WALDestinationError) -> ConfinedDirectory.Standing {
        try writing { () throws(FileIOError) in try directory.standing(of: name, identity, bytes: fileSize) }
    }

    /// The error for a file that was removed, replaced or truncated.
    func taken(_ path: String, isCut: Bool = false) -> WALDestinationError {
        let end = LSN(rawValue: segment.start.rawValue + UInt64(written))
        return WALDestinationError(
            "file \"\(path)\" was \(isCut ? "cut short" : "removed or replaced") while it was being written",
            detail: "WAL from \(segment.start) to \(end) (timeline \(segment.timeline)) is missing in the archive.",
            hint:
                "Keep other programs from moving or removing files that are being written, and start again: what the server still has is fetched once more."
        )
    }

    /// The error for a name that another program has taken.
    func inTheWay(_ path: String) -> WALDestinationError {
        WALDestinationError(
            "file \"\(path)\" was made by another program while the segment was being written",
            hint: "Let one program only write into the archive, move that file elsewhere, and start again.")
    }
}

/// Runs file operations. Lack of room is a temporary error.
func writing<Value: ~Copyable>(_ body: () throws(FileIOError) -> Value) throws(WALDestinationError) -> Value {
    do throws(FileIOError) { return try body() } catch { throw WALDestinationError(error) }
}

/// Runs file operations whose failure must not be retried: after a failed fsync(2) the kernel may have dropped the
/// written data, and a second call would report success.
func syncing<Value: ~Copyable>(_ body: () throws(FileIOError) -> Value) throws(WALDestinationError) -> Value {
    do throws(FileIOError) { return try body() } catch {
        var failure = WALDestinationError(error, isTemporary: false)
        if error.attempt.contains("sync") {
            failure.detail =
                "What was written may be lost, and another attempt would not tell: nothing more is acknowledged."
        }
        throw failure
    }
}
