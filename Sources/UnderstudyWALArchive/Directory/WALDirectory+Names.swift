import Glibc
import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

extension WALDirectory.Opened {
    /// Gives a finished file its final name, and throws if that file is not the one that was written. An existing file
    /// of that name with other content is set aside.
    func giveFinalName(
        _ complete: RelativePath, to partial: RelativePath, of segment: any SegmentOutput
    ) throws(WALDestinationError) {
        let standing = try segment.standing(of: partial, directory)
        if standing == .cut { throw segment.taken(directory.fullPath(partial), isCut: true) }
        let isNamed = try writing { () throws(FileIOError) in
            // On a retry this may be done already.
            if standing == .intact {
                if try !directory.renameIfFree(partial, to: complete) {
                    if try !directory.haveEqualContent(complete, partial) {
                        _ = try directory.setAside(complete, mode: origin.fileMode)
                    }
                    try directory.rename(partial, to: complete)
                }
            }
            return try directory.identity(of: complete) == segment.identity
        }
        guard isNamed else { throw segment.taken(directory.fullPath(partial)) }
        guard try writing({ () throws(FileIOError) in try directory.isAtItsPath() }) else {
            throw WALDestinationError(
                "directory \"\(directory.path)\" was moved or replaced while it was being written",
                detail:
                    "WAL up to \(segment.segment.end) (timeline \(segment.segment.timeline)) is in the directory that had this name before.",
                hint: "Put that directory back, or its files into the new one, and start again.")
        }
        // Some programs wait until a file is closed after writing (IN_CLOSE_WRITE) under its final name.
        try writing { () throws(FileIOError) in
            try directory.openFile(complete, flags: O_RDWR).close(path: directory.fullPath(complete))
        }
    }
}

extension WALDirectory {
    /// The name of a segment's partial file, as this archive or an earlier one has made it; nil if there is none. May be
    /// called on any thread.
    func partialName(of segment: WALSegmentName) -> String? {
        guard let directory = try? ConfinedDirectory(path: path) else { return nil }
        let methods = [compression.method] + Compression.Method.allCases.filter { $0 != compression.method }
        return methods.lazy
            .map { ArchivedSegment(segment: segment, compression: $0, isPartial: true).fileName }
            .first { directory.exists(RelativePath($0)) }
    }

    /// Puts the complete segments before `next` on stable storage, as far as they were not acknowledged before: the
    /// program that wrote them may have died first, or may not sync.
    ///
    /// - Returns: Whether everything before `next` can be acknowledged.
    func makeDurable(
        _ next: WALPosition?, _ directory: ConfinedDirectory, _ origin: WALOrigin, _ size: WALSegmentSize
    ) throws(WALDestinationError) -> Bool {
        guard let next else { return false }
        guard syncsAtOnce else { return origin.reliesOnAcknowledgement }
        let known = max(durable, origin.restartLSN ?? .invalid)
        let listing = ArchiveListing(names: try directory.fileNames(), segmentSize: size)
        for file in listing.complete(after: known, upTo: next.lsn) {
            let name = RelativePath(file.fileName)
            try syncing { () throws(FileIOError) in
                try directory.openFile(name, flags: O_RDONLY).sync(path: directory.fullPath(name))
            }
        }
        try syncing { () throws(FileIOError) in try directory.sync() }
        durable = next.lsn
        return true
    }
}
