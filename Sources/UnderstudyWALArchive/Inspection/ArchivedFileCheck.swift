import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Reads one file of an archive to its end, and says at which byte it is not what its name says.
struct ArchivedFileCheck {
    typealias Finding = ArchiveCheck.Finding

    private let directory: ConfinedDirectory
    private let name: String

    init(_ directory: ConfinedDirectory, _ name: String) {
        self.directory = directory
        self.name = name
    }

    // MARK: - Segments

    /// - Parameter check: Of this segment.
    func finding(_ segment: ArchivedSegment, _ check: SegmentCheck) throws(WALDestinationError) -> Finding? {
        var check = check, blocks = Blocks()
        let limit = Int(segment.segment.size.bytes)
        let ending = try read(segment.compression) { piece in
            blocks.add(piece) { check.take($0) }
            // Whatever comes behind is too much.
            return check.count <= limit
        }
        blocks.end { check.take($0) }
        let start = segment.segment.startLSN
        if let container = try containerFinding(ending, segment.compression, isPartial: segment.isPartial) {
            var finding = container
            finding.contentOffset = UInt64(check.flaw?.offset ?? check.count)
            finding.lsn = finding.contentOffset.flatMap { start.advanced(by: $0) }
            return finding
        }
        let isCut = if case .cut = ending { true } else { false }
        guard let flaw = check.finish(isCut: isCut) else { return nil }
        let offset = UInt64(flaw.offset)
        let kind: Finding.Kind =
            switch flaw.kind {
            case .otherWAL: .otherWAL
            case .page: .page
            case .length: .size
            }
        return Finding(
            file: name, kind: kind, offset: segment.compression == nil ? offset : nil, contentOffset: offset,
            lsn: start.advanced(by: offset), message: flaw.message)
    }

    /// - Returns: What is wrong with a compressed file as such.
    private func containerFinding(
        _ ending: CompressedFile.Ending, _ method: Compression.Method?, isPartial: Bool
    ) throws(WALDestinationError) -> Finding? {
        guard let method else { return nil }
        switch ending {
        case .whole, .stopped: return nil
        case .cut(let end):
            // That of a segment that is being received ends anywhere.
            if isPartial { return nil }
            return Finding(
                file: name, kind: .container, offset: end, message: "ends before its \(method) data does")
        // The stock receiver leaves what it had written before behind what it writes again.
        case .damaged(_, let error) where isPartial && error.code == .trailingBytes: return nil
        case .damaged(let from, let error):
            let place = try CompressedFile(method, RelativePath(name), in: directory).placeOfDamage(from: from)
            return Finding(file: name, kind: .container, offset: place, message: "is damaged: \(error.message)")
        }
    }

    /// Reads the file, decompressed as its name says.
    private func read(
        _ method: Compression.Method?, _ take: (RawSpan) -> Bool
    ) throws(WALDestinationError) -> CompressedFile.Ending {
        if let method { return try CompressedFile(method, RelativePath(name), in: directory).decode(take) }
        let step = 1 << 20
        var offset: Int64 = 0
        while true {
            let bytes = try writing { () throws(FileIOError) in
                try directory.readLinked(RelativePath(name), from: offset, atMost: step)
            }
            // The bytes are borrowed for the call.
            if !take(unsafe bytes.span.bytes) { return .stopped }
            if bytes.count < step { return .whole }
            offset += Int64(step)
        }
    }

    // MARK: - History files

    func finding(_ history: ArchivedHistory) throws(WALDestinationError) -> Finding? {
        try finding(history.compression) { bytes in
            do throws(TimelineHistoryError) {
                _ = try TimelineHistory(parsing: bytes, of: history.timeline)
                return nil
            } catch {
                return "is no history of timeline \(history.timeline): \(error.detail)"
            }
        }
    }

    func findingOfBackupHistory() throws(WALDestinationError) -> Finding? {
        let method = Compression.Method.allCases.first { name.hasSuffix($0.fileSuffix) }
        return try finding(method) { bytes in
            do throws(BackupLabel.Flaw) {
                _ = try BackupLabel(parsing: bytes)
                return nil
            } catch {
                return "is no history of a backup: \(error.detail)"
            }
        }
    }

    /// - Parameter judge: Says what is wrong with the content.
    private func finding(
        _ method: Compression.Method?, _ judge: ([UInt8]) -> String?
    ) throws(WALDestinationError) -> Finding? {
        var bytes: [UInt8] = []
        let ending = try read(method) { piece in
            // The bytes are copied within the call.
            unsafe piece.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
            return bytes.count <= TimelineHistory.longestFile
        }
        if let finding = try containerFinding(ending, method, isPartial: false) { return finding }
        return judge(bytes).map { Finding(file: name, kind: .history, message: $0) }
    }
}

extension ArchiveCheck.Finding {
    init(file: String, kind: Kind, offset: UInt64? = nil, message: String) {
        self.init(file: file, kind: kind, offset: offset, contentOffset: nil, lsn: nil, message: message)
    }
}

/// Makes blocks of one size of pieces of any size.
private struct Blocks {
    private var block: [UInt8] = []

    init() { block.reserveCapacity(SegmentCheck.blockSize) }

    mutating func add(_ piece: RawSpan, _ take: (RawSpan) -> Void) {
        var rest = piece
        while rest.byteCount > 0 {
            let count = min(SegmentCheck.blockSize - block.count, rest.byteCount)
            if count == SegmentCheck.blockSize {
                take(rest.extracting(..<count))
            } else {
                // The bytes are copied within the call.
                unsafe rest.extracting(..<count).withUnsafeBytes { unsafe block.append(contentsOf: $0) }
                if block.count == SegmentCheck.blockSize { end(take) }
            }
            rest = rest.extracting(count...)
        }
    }

    mutating func end(_ take: (RawSpan) -> Void) {
        guard !block.isEmpty else { return }
        // The bytes are borrowed for the call.
        take(unsafe block.span.bytes)
        block.removeAll(keepingCapacity: true)
    }
}
