import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// A segment file on its way from an archive to a server. All of its page headers are compared with its name: a server
/// that finds other WAL than it expects takes that for the end of the archive.
struct RestoredSegment {
    private let file: StoredFile
    /// nil if the file has no page; then it is empty, or zeros.
    private let first: (segment: WALSegmentName, header: WALPageHeader)?
    private let text: String

    /// - Parameters:
    ///   - name: 24 digits.
    ///   - system: The server's system identifier; nil if it is not known.
    init(_ name: String, _ file: StoredFile, system: String?) throws(WALDestinationError) {
        self.file = file
        text = name
        guard let header = WALPageHeader(try file.prefix(WALPageHeader.byteCount)) else {
            try Self.checkEmpty(file)
            first = nil
            return
        }
        guard let size = WALSegmentSize(bytes: header.segmentSize), let segment = WALSegmentName(name, size: size)
        else {
            throw Self.damaged(file, "Its first page has a segment size of \(header.segmentSize) bytes.")
        }
        let system = system ?? header.systemIdentifier
        // The segment in which a timeline begins has pages of the one before.
        if let mismatch = header.mismatch(with: segment, ofSystem: system, beginsTimeline: true) {
            throw Self.damaged(file, "Its first page has \(mismatch).", isMisnamed: true)
        }
        first = (segment, header)
    }

    /// Throws if a file without a page holds anything.
    private static func checkEmpty(_ file: StoredFile) throws(WALDestinationError) {
        var isZero = true
        let ending = try file.pages(of: SegmentCheck.blockSize) { bytes in
            isZero = unsafe bytes.span.bytes.isZero
            return isZero
        }
        try checkEnding(ending, file)
        if !isZero { throw damaged(file, "Its first page has no header.") }
    }

    /// Throws if a partial segment is damaged. One that is cut off may have been received last; and the stock receiver leaves
    /// what it had written before behind what it writes again.
    private static func checkEnding(
        _ ending: CompressedFile.Ending, _ file: StoredFile
    ) throws(WALDestinationError) {
        guard case .damaged(let start, let error) = ending, error.code != .trailingBytes,
            let place = try file.compressed?.placeOfDamage(from: start)
        else { return }
        var failure = damaged(file, "The damage is at byte \(place) or before: \(error.message).")
        failure.hint =
            "Put an intact copy in its place. What lies before the damage can be had: copy the file, and cut it there (truncate -s \(place > 0 ? place - 1 : 0) FILE)."
        throw failure
    }

    private static func damaged(
        _ file: StoredFile, _ detail: String, isMisnamed: Bool = false
    ) -> WALDestinationError {
        var error = file.damaged(detail)
        if isMisnamed { error.message = "file \"\(file.path)\" does not hold the WAL that its name says" }
        error.hint =
            "Put an intact copy of the segment in its place, from another archive or from pg_wal of the server."
        return error
    }

    private static func damaged(_ file: StoredFile, _ flaw: SegmentCheck.Flaw) -> WALDestinationError {
        damaged(file, "At byte \(flaw.offset) of its content it \(flaw.message).")
    }

    /// Hands out a complete segment.
    ///
    /// - Returns: False if it holds only the beginning of the segment; nothing is handed out then.
    func put(to target: RestoreTarget) throws(WALDestinationError) -> Bool {
        guard let first else { throw Self.damaged(file, "Its first page has no header.") }
        var isWhole = false
        do throws(WALDestinationError) {
            try target.put { output, path throws(WALDestinationError) in
                let found = try copy(to: output, path)
                guard found.ending == .whole, found.count == Int(first.segment.size.bytes) else {
                    throw Self.damaged(file, "It ends after \(found.count) of \(first.segment.size.bytes) bytes.")
                }
                switch found.extent {
                case .whole: isWhole = true
                case .beginning: throw Incomplete.error
                case .damaged(let flaw): throw Self.damaged(file, flaw)
                }
            }
        } catch  where error.cause is Incomplete {
            return false
        }
        return isWhole
    }

    /// Hands out what there is of a segment, and zeros up to its full size.
    func putPadded(to target: RestoreTarget) throws(WALDestinationError) {
        guard let first else { return }
        try target.put { output, path throws(WALDestinationError) in
            let found = try copy(to: output, path)
            try Self.checkEnding(found.ending, file)
            if case .damaged(let flaw) = found.extent { throw Self.damaged(file, flaw) }
            try writing { () throws(FileIOError) in
                try output.truncate(to: Int64(first.segment.size.bytes), path: path)
            }
        }
    }

    /// The offset up to which there is WAL; nil if there is none.
    func end() throws(WALDestinationError) -> Int? {
        guard let first else { return nil }
        return switch try extent(first.segment) {
        case .whole: Int(first.segment.size.bytes)
        case .beginning(let end): end
        case .damaged(let flaw): flaw.offset
        }
    }

    /// Whether there is all of the segment.
    func isWhole() throws(WALDestinationError) -> Bool {
        guard let first else { return false }
        return try extent(first.segment) == .whole
    }

    private func extent(_ segment: WALSegmentName) throws(WALDestinationError) -> SegmentCheck.Extent {
        var check = Self.check(segment)
        let ending = try file.pages(of: SegmentCheck.blockSize) { bytes in
            // The bytes are borrowed for the call.
            check.take(unsafe bytes.span.bytes)
            return true
        }
        try Self.checkEnding(ending, file)
        return check.extent
    }

    private struct Copied {
        var count = 0
        var ending: CompressedFile.Ending
        var extent: SegmentCheck.Extent
    }

    /// Of all its pages, whatever the file's name says of their number.
    private static func check(_ segment: WALSegmentName) -> SegmentCheck {
        SegmentCheck(ArchivedSegment(segment: segment, isPartial: false), origin: nil, history: nil)
    }

    private func copy(
        to output: borrowing FileDescriptor, _ path: String
    ) throws(WALDestinationError) -> Copied {
        guard let first else { throw Self.damaged(file, "Its first page has no header.") }
        var check = Self.check(first.segment), count = 0
        let size = Int(first.segment.size.bytes)
        let ending = try file.pages(of: SegmentCheck.blockSize) { bytes throws(WALDestinationError) in
            guard count + bytes.count <= size else {
                throw Self.damaged(file, "It holds more than the \(size) bytes of a segment.")
            }
            try writing { () throws(FileIOError) in
                try unsafe output.write(bytes.span.bytes, at: Int64(count), path: path)
            }
            count += bytes.count
            check.take(unsafe bytes.span.bytes)
            return true
        }
        return Copied(count: count, ending: ending, extent: check.extent)
    }
}

/// Marks a segment that is to be handed out as a partial one, if at all.
private struct Incomplete: Error {
    static let error = WALDestinationError("not complete", cause: Incomplete())
}
