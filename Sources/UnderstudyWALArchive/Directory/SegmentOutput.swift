import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// A segment file that is being written.
protocol SegmentOutput: AnyObject, Sendable {
    var segment: WALSegment { get }

    /// Writes the bytes that belong at `offset`; what of them was taken before an error is not taken again.
    func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError)

    /// Puts what was written on stable storage, and makes sure that it is found under its name.
    func sync() throws(WALDestinationError)

    /// Bytes from the segment's start that have been written.
    var written: Int { get }

    /// Bytes from the segment's start that are in the file, whatever happens to this process.
    var inFile: Int { get }

    /// The file that is written, whatever its name, and how many bytes it has at least.
    var identity: FileIdentity { get }
    var fileSize: Int64 { get }

    /// Puts what was taken into the file, without syncing it.
    func handOver() throws(WALDestinationError)

    /// Makes sure that the file that is written is found under its name, whole.
    func checkName() throws(WALDestinationError)

    /// Shows the file under its name for partial ones, if it has not got that yet.
    func takeName() throws(WALDestinationError)

    /// Whether it must not show its name yet: an older file holds more of this segment.
    var isHeldBack: Bool { get }

    /// Completes the file and closes it. It has its name for partial ones still.
    ///
    /// - Parameter sync: Whether it must be on stable storage before.
    func complete(sync: Bool) throws(WALDestinationError)

    /// Closes the file as it is.
    func close() throws(WALDestinationError)
}

extension SegmentOutput {
    /// Throws if the file that was written is not the one that has this name, or has lost bytes.
    func check(_ name: RelativePath, _ directory: ConfinedDirectory) throws(WALDestinationError) {
        let standing = try standing(of: name, directory)
        if standing != .intact { throw taken(directory.fullPath(name), isCut: standing == .cut) }
    }

    /// Throws if the file has lost bytes, before what is written behind them hides that: it would have its size again, and
    /// zeros in its middle.
    func checkSize(_ name: RelativePath, _ directory: ConfinedDirectory) throws(WALDestinationError) {
        if try standing(of: name, directory) == .cut { throw taken(directory.fullPath(name), isCut: true) }
    }

    func standing(
        of name: RelativePath, _ directory: ConfinedDirectory
    ) throws(WALDestinationError) -> ConfinedDirectory.Standing {
        try writing { () throws(FileIOError) in try directory.standing(of: name, identity, bytes: fileSize) }
    }

    /// The file that was written is not the one that has its name.
    func taken(_ path: String, isCut: Bool = false) -> WALDestinationError {
        let end = LSN(rawValue: segment.start.rawValue + UInt64(written))
        return WALDestinationError(
            "file \"\(path)\" was \(isCut ? "cut short" : "removed or replaced") while it was being written",
            detail: "WAL from \(segment.start) to \(end) (timeline \(segment.timeline)) is missing in the archive.",
            hint:
                "Keep other programs from moving or removing files that are being written, and start again: what the server still has is fetched once more."
        )
    }

    /// Another program has made a file of the name that this one was to get.
    func inTheWay(_ path: String) -> WALDestinationError {
        WALDestinationError(
            "file \"\(path)\" was made by another program while the segment was being written",
            hint: "Let one program only write into the archive, move that file elsewhere, and start again.")
    }
}

/// Runs work on files; a lack of room may pass.
func writing<Value: ~Copyable>(_ body: () throws(FileIOError) -> Value) throws(WALDestinationError) -> Value {
    do throws(FileIOError) { return try body() } catch { throw WALDestinationError(error) }
}

/// Runs work on files of which no failure may be tried again: after a failed fsync(2) the kernel may have dropped what was
/// written, and a second one would report success.
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
