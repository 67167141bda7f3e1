import Glibc
import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// A segment file that is compressed while it is written. Each sync ends a block, so that everything before it can be
/// read although the file is incomplete.
///
/// If a partial file exists already, the new one is written beside it under another name, and replaces it once it holds
/// as much: acknowledged WAL is never lost.
final class CompressedSegment: SegmentOutput, @unchecked Sendable {
    // Sendable: the thread that writes it passes it to the one that finishes it, and does not touch it again.
    let segment: WALSegment
    private(set) var written = 0
    private(set) var inFile = 0
    let identity: FileIdentity
    var fileSize: Int64 { offset }

    private let directory: ConfinedDirectory
    private let partial: RelativePath
    /// The name under which it is written now.
    private var name: RelativePath
    /// How many bytes of the segment another file holds: the one under `partial` that this file is to replace, or a
    /// partial file of an older timeline.
    private var older: UInt64 = 0
    private let olderIdentity: FileIdentity?
    private var olderSize: Int64 = 0
    private var file: FileDescriptor?
    private var compressor: Compressor
    /// Uncompressed bytes that the compressor has taken.
    private var taken = 0
    /// Compressed bytes that are not in the file yet, and the offset at which they go there.
    private var pending: [UInt8] = []
    private var offset: Int64 = 0
    private var needsSync = true
    /// Whether the compressor has produced its last byte.
    private var isEnded = false

    private static let rewrittenName: RelativePath = ".understudy-rewritten"
    private static let newName: RelativePath = ".understudy-new"

    init(
        _ segment: WALSegment, _ method: Compression.Method, level: Int?,
        in directory: ConfinedDirectory, mode: UInt16, heldElsewhere: Int = 0
    ) throws(WALDestinationError) {
        let partial = RelativePath(segment.name + method.fileSuffix + ArchivedSegment.partialSuffix)
        // Renamed when the previous segment is finished.
        var name = Self.newName
        do throws(CompressionError) {
            compressor = try Compressor(method, level: level, contentSize: UInt64(segment.size))
        } catch { throw WALDestinationError(error.message, cause: error) }
        olderIdentity = try writing { () throws(FileIOError) in try directory.identity(of: partial) }
        var older = UInt64(heldElsewhere), olderSize: Int64 = 0
        if olderIdentity != nil {
            older = try Self.held(partial, method, in: directory, segment)
            olderSize = try writing { () throws(FileIOError) in try directory.sizeAndMode(of: partial).size }
            try syncing { () throws(FileIOError) in
                // It holds what was acknowledged until the new file replaces it, even after a crash.
                try directory.openFile(partial, flags: O_RDWR).sync(path: directory.fullPath(partial))
            }
            name = Self.rewrittenName
        }
        let created = name
        let opened = try writing { () throws(FileIOError) in
            if directory.exists(created) { try directory.remove(created) }
            return try directory.createFile(created, mode: mode)
        }
        identity = try writing { () throws(FileIOError) in try opened.identity(path: directory.fullPath(created)) }
        file = consume opened
        self.segment = segment
        self.directory = directory
        self.partial = partial
        self.name = name
        self.older = older
        self.olderSize = olderSize
    }

    var isHeldBack: Bool { name == Self.newName && UInt64(taken) < older }

    /// How much WAL a file holds, not counting old content after it, as in a copy of a server's file.
    private static func held(
        _ name: RelativePath, _ method: Compression.Method, in directory: ConfinedDirectory, _ segment: WALSegment
    ) throws(WALDestinationError) -> UInt64 {
        if let size = WALSegmentSize(bytes: UInt64(segment.size)),
            let file = ArchivedSegment(fileName: "\(name)", size: size),
            let extent = try ArchivedContents(file, in: directory).extent()
        {
            return UInt64(extent.end)
        }
        return try CompressedFile(method, name, in: directory).measure().bytes
    }

    private var path: String { directory.fullPath(name) }

    func write(_ bytes: RawSpan, at offset: Int) throws(WALDestinationError) {
        // The compressor may have taken them although the file had no room.
        let known = max(0, taken - offset)
        if known < bytes.byteCount {
            try compressing { compressor, output throws(CompressionError) in
                try compressor.compress(bytes.extracting(known...), into: &output)
            }
            taken = offset + bytes.byteCount
            needsSync = true
        }
        if pending.count >= Self.chunk { try put() }
        written = taken
    }

    /// How many bytes are collected before they are written.
    private static let chunk = 1 << 17

    func sync() throws(WALDestinationError) {
        guard needsSync else { return }
        try flush()
        try putAndSync()
        inFile = taken
        try checkName()
        if name == Self.rewrittenName, UInt64(taken) >= older { try takePlace() }
    }

    func handOver() throws(WALDestinationError) {
        guard taken > inFile else { return }
        try flush()
        if name == Self.rewrittenName {
            guard UInt64(taken) >= older else { return }
            // The file that it replaces may be on stable storage.
            try putAndSync()
            try takePlace()
        } else {
            try put()
            needsSync = true
        }
        inFile = taken
    }

    func takeName() throws(WALDestinationError) {
        guard name == Self.newName, !isHeldBack else { return }
        if older > 0 { try self.sync() }
        guard name == Self.newName else { return }
        guard try writing({ () throws(FileIOError) in try directory.renameIfFree(name, to: partial) }) else {
            throw inTheWay(directory.fullPath(partial))
        }
        name = partial
    }

    func complete(sync: Bool) throws(WALDestinationError) {
        if !isEnded {
            try compressing { compressor, output throws(CompressionError) in try compressor.finish(into: &output) }
            isEnded = true
            needsSync = true
        }
        if sync && needsSync { try putAndSync() } else { try put() }
        inFile = taken
        try takePlace()
        try close()
    }

    func close() throws(WALDestinationError) {
        if file != nil && needsSync {
            try flush()
            if name == partial {
                try put()
            } else if UInt64(taken) >= older {
                // The file that it replaces may be on stable storage.
                try putAndSync()
                try takePlace()
            }
        }
        try syncing { () throws(FileIOError) in
            try file.take()?.close(path: path)
            // The older file holds more.
            if name != partial { try directory.remove(name) }
        }
    }

    private func takePlace() throws(WALDestinationError) {
        guard name != partial else { return }
        try checkName()
        try syncing { () throws(FileIOError) in
            try directory.rename(name, to: partial)
            try directory.sync()
        }
        name = partial
    }

    /// Also checks the older file, which holds what was acknowledged until this one replaces it.
    func checkName() throws(WALDestinationError) {
        try check(name, directory)
        guard name == Self.rewrittenName, let olderIdentity else { return }
        let standing = try writing { () throws(FileIOError) in
            try directory.standing(of: partial, olderIdentity, bytes: olderSize)
        }
        if standing != .intact { throw taken(directory.fullPath(partial), isCut: standing == .cut) }
    }

    private func compressing(
        _ body: (inout Compressor, inout [UInt8]) throws(CompressionError) -> Void
    ) throws(WALDestinationError) {
        do throws(CompressionError) { try body(&compressor, &pending) } catch {
            throw WALDestinationError("could not compress file \"\(path)\": \(error.message)", cause: error)
        }
    }

    /// Makes everything that was taken readable; a complete file already is.
    private func flush() throws(WALDestinationError) {
        guard !isEnded else { return }
        try compressing { compressor, output throws(CompressionError) in try compressor.flush(into: &output) }
    }

    private func put() throws(WALDestinationError) {
        guard !pending.isEmpty else { return }
        try checkSize(name, directory)
        let bytes = pending
        try writing { () throws(FileIOError) in try unsafe file!.write(bytes.span.bytes, at: offset, path: path) }
        offset += Int64(pending.count)
        pending.removeAll(keepingCapacity: true)
    }

    private func putAndSync() throws(WALDestinationError) {
        try put()
        try syncing { () throws(FileIOError) in try file!.syncData(path: path) }
        needsSync = false
    }
}

extension WALDirectory {
    func makeCompressed(
        _ segment: WALSegment, _ opened: Opened, heldElsewhere: Int
    ) throws(WALDestinationError) -> (any SegmentOutput)? {
        guard let method = compression.method else { return nil }
        return try CompressedSegment(
            segment, method, level: compression.level, in: opened.directory,
            mode: opened.origin.fileMode, heldElsewhere: heldElsewhere)
    }
}
