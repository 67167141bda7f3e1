import UnderstudyWAL

/// Splits an archive into its members as it arrives.
///
/// The bytes may come in pieces of any size. Content is passed on as parts of the pieces, without copies; only a header
/// that is split between pieces is collected. Nothing in the archive can increase the reader's use of memory.
///
/// After an error the reader must not be used again.
package struct TarReader {
    private enum State {
        case header
        case content(remaining: UInt64, padding: Int)
        case padding(Int)
        /// After a block of zero bytes; the number of zero bytes so far.
        case trailer(UInt64)
    }

    private var state = State.header
    private let expectsTrailer: Bool
    /// The beginning of a header whose end has not arrived yet; empty otherwise.
    private var partialHeader: [UInt8] = []
    private var offset: UInt64 = 0
    /// The member that is being read.
    private var entry: TarEntry?

    /// The path of the member that is being read, or was read last.
    package var currentPath: MemberPath? { entry?.path }

    /// - Parameter expectsTrailer: Whether the archive must end with two blocks of zero bytes, as those of servers from
    ///   15 do. Older servers send none, so the end of their archives does not prove that they are complete.
    package init(expectsTrailer: Bool = false) {
        self.expectsTrailer = expectsTrailer
    }

    /// Reads the next piece, and passes its content to `sink`.
    package mutating func consume<Sink: TarSink & ~Copyable>(
        _ bytes: RawSpan, into sink: inout Sink
    ) throws(Sink.Failure) {
        var rest = bytes
        while !rest.isEmpty {
            let used: Int
            switch state {
            case .header:
                used = try readHeader(rest, into: &sink)
            case .content(let remaining, let padding):
                used = Int(min(remaining, UInt64(rest.byteCount)))
                try sink.content(rest.extracting(0..<used))
                try contentArrived(remaining: remaining - UInt64(used), padding: padding, sink: &sink)
            case .padding(let remaining):
                used = min(remaining, rest.byteCount)
                state = used == remaining ? .header : .padding(remaining - used)
            case .trailer(let length):
                guard rest.isZero else {
                    throw sink.failure(
                        BackupFormatError(.malformedArchive, "archive goes on after its end", detail: afterTrailer))
                }
                used = rest.byteCount
                state = .trailer(length + UInt64(used))
            }
            offset += UInt64(used)
            rest = rest.extracting(used..<rest.byteCount)
        }
    }

    /// How many bytes of the member's content are still to come.
    package var contentLeft: UInt64 {
        guard case .content(let remaining, _) = state else { return 0 }
        return remaining
    }

    /// Goes on behind bytes of content that `sink` does not need, and does not get.
    ///
    /// - Parameter count: At most ``contentLeft``.
    package mutating func skipContent<Sink: TarSink & ~Copyable>(
        _ count: UInt64, into sink: inout Sink
    ) throws(Sink.Failure) {
        guard count > 0, case .content(let remaining, let padding) = state else { return }
        precondition(count <= remaining, "more is skipped than the member has")
        try contentArrived(remaining: remaining - count, padding: padding, sink: &sink)
        offset += count
    }

    /// Marks the end of the archive. Throws if the archive cannot end here.
    package func finish() throws(BackupFormatError) {
        switch state {
        case .header:
            guard partialHeader.isEmpty else {
                throw BackupFormatError(
                    .truncated, "archive ends in the middle of a member's header", detail: "It has \(offset) bytes.")
            }
            guard !expectsTrailer else {
                throw BackupFormatError(
                    .truncated, "archive ends without its trailer",
                    detail: "It has \(offset) bytes, and no two blocks of zero bytes after them.")
            }
        case .content(let remaining, _):
            throw endsInMember("\(remaining) bytes of its content are missing.")
        case .padding(let remaining):
            throw endsInMember("\(remaining) bytes of its padding are missing.")
        case .trailer(let length):
            guard length >= 2 * UInt64(TarHeader.size), length.isMultiple(of: UInt64(TarHeader.size)) else {
                throw BackupFormatError(
                    .truncated, "archive ends in the middle of its trailer",
                    detail: "There are \(length) zero bytes after the last member.")
            }
        }
    }

    /// Returns the number of bytes used.
    private mutating func readHeader<Sink: TarSink & ~Copyable>(
        _ bytes: RawSpan, into sink: inout Sink
    ) throws(Sink.Failure) -> Int {
        let wanted = TarHeader.size - partialHeader.count
        guard bytes.byteCount >= wanted else {
            bytes.append(to: &partialHeader)
            return bytes.byteCount
        }
        if partialHeader.isEmpty {
            try begin(bytes.extracting(0..<wanted), at: offset, into: &sink)
        } else {
            let start = offset - UInt64(partialHeader.count)
            var header: [UInt8] = []
            swap(&header, &partialHeader)
            bytes.extracting(0..<wanted).append(to: &header)
            try begin(header.rawSpan, at: start, into: &sink)
            // Keeps the buffer for the next split header.
            header.removeAll(keepingCapacity: true)
            swap(&header, &partialHeader)
        }
        return wanted
    }

    private mutating func begin<Sink: TarSink & ~Copyable>(
        _ header: RawSpan, at start: UInt64, into sink: inout Sink
    ) throws(Sink.Failure) {
        guard !header.isZero else {
            state = .trailer(UInt64(TarHeader.size))
            return
        }
        let entry: TarEntry
        do {
            entry = try TarHeader.decode(header, at: start)
        } catch {
            throw sink.failure(error)
        }
        self.entry = entry
        try sink.begin(entry)
        try contentArrived(remaining: entry.size, padding: TarWriter.padding(after: entry.size), sink: &sink)
    }

    private mutating func contentArrived<Sink: TarSink & ~Copyable>(
        remaining: UInt64, padding: Int, sink: inout Sink
    ) throws(Sink.Failure) {
        guard remaining == 0 else {
            state = .content(remaining: remaining, padding: padding)
            return
        }
        state = padding == 0 ? .header : .padding(padding)
        try sink.end()
    }

    private var afterTrailer: String {
        "There is something other than zero bytes after byte \(offset), where blocks of zero bytes ended it."
    }

    private func endsInMember(_ detail: String) -> BackupFormatError {
        let path = entry.map { "\"\($0.path)\"" } ?? ""
        return BackupFormatError(.truncated, "archive ends in the middle of member \(path)", detail: detail)
    }
}
