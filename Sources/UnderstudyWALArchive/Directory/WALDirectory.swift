import Glibc
public import UnderstudyCompression
package import UnderstudyPlatform
public import UnderstudyStreaming
public import UnderstudyWAL

/// A directory of WAL segment files, as pg_receivewal writes it: either program can continue the other's work at any
/// moment.
///
/// Finished segments have their names (plus `.gz`, `.lz4` or `.zst`); the one being written also ends in `.partial`. A
/// file gets its name when it has its full size, and its final name after it was synced. Names that begin with
/// `.understudy` belong to temporary files. WAL that does not belong to the server's past goes to `diverged`.
///
/// Source: the manual page of pg_receivewal.
public final class WALDirectory: WALDestination, PlacedDestination, @unchecked Sendable {
    // Sendable: the archiver calls one method at a time; only the preparer and the finisher share state, and they lock.
    let path: String
    let compression: Compression
    /// Whether received WAL is synced.
    let syncsAtOnce: Bool

    private let preparer = SegmentPreparer()
    private let finisher = SegmentFinisher()
    /// The threads that wait for the file system of the directory.
    package private(set) var lane: HelperLane?
    /// Locked, and not opened yet.
    private var reserved: ConfinedDirectory?
    var opened: Opened?
    private var current: (any SegmentOutput)?
    /// Whether the finisher may still be at work, and the current segment without its name.
    private var hasUnsettledNames = false
    /// Whether the next segment's file was requested.
    private var hasNext = false
    /// Whether file names have changed since the directory was synced.
    var hasNewNames = false
    /// Everything before it has been written to files, and synced if files are synced at all.
    private var finished: LSN?
    /// This process has synced the complete segments that end here or before.
    var durable = LSN.invalid
    private var sinceSync = 0
    private var hasLookedAtAll = false
    /// The history received last.
    private var history: TimelineHistory?

    /// The state of one connection.
    struct Opened: Sendable {
        var directory: ConfinedDirectory
        var origin: WALOrigin
        var size: WALSegmentSize
    }

    /// - Parameters:
    ///   - path: An existing directory.
    ///   - sync: Whether received WAL is synced at once, and acknowledged only then. If not, WAL is never synced: with
    ///     a slot it is acknowledged when it is written, and a crash of the machine may lose it; without a slot,
    ///     nothing is acknowledged.
    public init(_ path: String, compression: Compression = .none, sync: Bool = true) {
        self.path = path
        self.compression = compression
        syncsAtOnce = sync
    }

    deinit {
        release()
    }

    // MARK: - A connection

    public func open(_ origin: WALOrigin) throws(WALDestinationError) -> WALHoldings {
        guard let size = WALSegmentSize(bytes: UInt64(origin.segmentSize)) else {
            throw WALDestinationError("server has an unexpected WAL segment size of \(origin.segmentSize) bytes")
        }
        if reserved == nil { try reserve() }
        guard let directory = reserved.take() else { preconditionFailure("a reserved directory is gone") }
        opened = Opened(directory: directory, origin: origin, size: size)
        current = nil
        finished = nil
        sinceSync = 0
        var survey = ArchiveSurvey(directory: directory, origin: origin, size: size, looksAtAll: !hasLookedAtAll)
        var holdings = try survey.holdings()
        hasLookedAtAll = true
        holdings.isDurable = try makeDurable(holdings.next, directory, origin, size)
        return holdings
    }

    package func reserve() throws(WALDestinationError) {
        release()
        let directory = try openDirectory()
        guard directory.lock() else {
            throw WALDestinationError(
                "directory \"\(path)\" is in use by another archiver",
                hint: "Give each archiver a directory of its own, or stop the other one first.")
        }
        reserved = directory
        let device = try writing { () throws(FileIOError) in try directory.identity().device }
        let lane = HelperPool.shared.lane(.fileSystem(device))
        preparer.use(lane)
        finisher.use(lane)
        self.lane = lane
        try writing { () throws(FileIOError) in try lane.ensureThread() }
    }

    private func openDirectory() throws(WALDestinationError) -> ConfinedDirectory {
        do throws(FileIOError) { return try ConfinedDirectory(path: path) } catch {
            var failure = WALDestinationError(error)
            if error.number == ENOENT {
                failure.hint = "Make the directory first, or mount the file system that it is on."
            }
            throw failure
        }
    }

    public func close() {
        try? finisher.wait()
        // An unfinished segment is streamed again.
        finisher.forget()
        current = nil
        preparer.forget()
        hasNext = false
        // A prepared file is left over if the segment existed already.
        try? opened?.directory.remove(SegmentPreparer.name)
        release()
    }

    /// Unlocks the directory, even if a thread that has just finished its work still holds a reference to it.
    private func release() {
        reserved?.unlock()
        reserved = nil
        opened?.directory.unlock()
        opened = nil
    }

    // MARK: - Segments

    public func begin(_ segment: WALSegment) throws(WALDestinationError) {
        guard let opened else { return }
        if current != nil { try suspend() }
        // This segment may be the one that is being finished.
        if let finished, segment.end <= finished { try finisher.wait() }
        let heldElsewhere = finished == nil ? try opened.heldOfOlderTimeline(of: segment, history) : 0
        if compression == .none {
            let hasPrepared = preparer.take()
            hasNext = false
            current = try writing { () throws(FileIOError) in
                try PlainSegment(
                    segment, in: opened.directory, mode: opened.origin.fileMode,
                    prepared: hasPrepared ? SegmentPreparer.name : nil, heldElsewhere: heldElsewhere)
            }
        } else {
            current = try makeCompressed(segment, opened, heldElsewhere: heldElsewhere)
        }
        hasUnsettledNames = true
        if !finisher.isBusy { try current?.takeName() }
        if finished == nil { finished = segment.start }
        hasNewNames = true
    }

    public func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        try current?.write(bytes, at: offset)
        sinceSync += bytes.byteCount
    }

    public func writeToSync(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        guard syncsAtOnce, let plain = current as? PlainSegment else { return try write(bytes, at: offset) }
        try plain.writeToSync(bytes, at: offset)
        sinceSync += bytes.byteCount
    }

    public func sync() throws(WALDestinationError) -> LSN? {
        try settleNames()
        guard syncsAtOnce else {
            try current?.handOver()
            return opened?.origin.reliesOnAcknowledgement == true ? written : nil
        }
        try current?.sync()
        try syncNames()
        let isLive = sinceSync < WALWriter.blockSize
        sinceSync = 0
        guard let current else { return finished }
        if isLive, let opened, let plain = current as? PlainSegment {
            do throws(WALDestinationError) { try plain.zeroAhead() } catch  where error.isTemporary {
                // Zeroing only makes later syncs cheaper.
            }
            // A segment that is held back may still have the name of a prepared file.
            if !hasNext, !hasUnsettledNames {
                preparer.prepare(size: opened.origin.segmentSize, in: opened.directory, mode: opened.origin.fileMode)
                hasNext = true
            }
        }
        return LSN(rawValue: current.segment.start.rawValue + UInt64(current.written))
    }

    public var written: LSN? {
        // A file with a hidden name does not outlive the process: the next run removes it.
        if hasUnsettledNames, current?.isHeldBack == false { return finished }
        return current.map { LSN(rawValue: $0.segment.start.rawValue + UInt64($0.inFile)) } ?? finished
    }

    public func finish(_ segment: WALSegment) throws(WALDestinationError) {
        guard let current, let opened else { return }
        try settleNames()
        let names = (partial: fileName(segment, isPartial: true), complete: fileName(segment, isPartial: false))
        let sync = syncsAtOnce
        let finishing: @Sendable () throws(WALDestinationError) -> Void = {
            () throws(WALDestinationError) in
            try current.complete(sync: sync)
            try opened.giveFinalName(names.complete, to: names.partial, of: current)
        }
        finisher.start(finishing)
        hasUnsettledNames = true
        self.current = nil
        finished = segment.end
        hasNewNames = true
    }

    public func suspend() throws(WALDestinationError) {
        try settleNames()
        // It is a position on the timeline that ends here.
        finished = nil
        guard let closing = current else {
            // The last segment may just have been finished.
            if syncsAtOnce { try syncNames() }
            return
        }
        if syncsAtOnce { try closing.sync() } else { try closing.handOver() }
        try closing.checkName()
        try closing.close()
        // Not earlier: if there is no room for the rest, the same call is repeated.
        current = nil
        if syncsAtOnce { try syncNames() }
    }

    public func putHistory(_ timeline: TimelineID, _ content: [UInt8]) throws(WALDestinationError) {
        guard let opened else { return }
        history = try? TimelineHistory(parsing: content, of: timeline)
        try HistoryFile(timeline, compression: compression, in: opened.directory).put(
            content, mode: opened.origin.fileMode, sync: syncsAtOnce || opened.origin.reliesOnAcknowledgement)
    }

    // MARK: - Names

    private func syncNames() throws(WALDestinationError) {
        guard hasNewNames, let opened else { return }
        try syncing { () throws(FileIOError) in try opened.directory.sync() }
        hasNewNames = false
    }

    private func fileName(_ segment: WALSegment, isPartial: Bool) -> RelativePath {
        RelativePath(
            ArchivedSegment(segment: WALSegmentName(segment), compression: compression.method, isPartial: isPartial)
                .fileName)
    }

    /// Waits until the previous segment is finished, and gives the current one its name.
    private func settleNames() throws(WALDestinationError) {
        // For most syncs that was done long ago.
        guard hasUnsettledNames else { return }
        try finisher.wait()
        try current?.takeName()
        hasUnsettledNames = current?.isHeldBack ?? false
        hasNewNames = true
    }
}

extension WALDestination where Self == WALDirectory {
    /// A directory of segment files; see ``WALDirectory``.
    public static func directory(
        _ path: String, compression: Compression = .none, sync: Bool = true
    ) -> WALDirectory {
        WALDirectory(path, compression: compression, sync: sync)
    }
}
