import Glibc
import UnderstudyCompression
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL
import UnderstudyWALRecords

/// The segment files of a directory, compressed or not.
struct SegmentFiles {
    private let directory: ConfinedDirectory
    private let names: Set<String>
    private let block: Block

    /// Large enough for the disk, and small enough to stay in a processor's cache.
    private static let step = 1 << 18

    /// - Throws: If the directory cannot be read.
    init(_ path: String) throws(UnderstudyError) {
        do throws(FileIOError) {
            directory = try ConfinedDirectory(path: path)
            block = try Block(capacity: Self.step)
            var names: Set<String> = []
            try directory.forEachEntry { entry throws(FileIOError) in
                let name = entry.name.description
                if entry.kind.mayBeFile, WALSegmentName.isSegmentName(name.prefix(24)) { names.insert(name) }
                return true
            }
            self.names = names
        } catch { throw UnderstudyError(error) }
    }

    func has(_ segment: WALSegmentName) -> Bool { file(of: segment) != nil }

    private func file(of segment: WALSegmentName) -> (name: RelativePath, method: Compression.Method?)? {
        let methods = [nil] + Compression.Method.allCases.map { Optional($0) }
        return methods.lazy.map { ($0, segment.description + $0.fileSuffix) }.first { names.contains($0.1) }
            .map { (RelativePath($0.1), $0.0) }
    }

    /// As the files have it: the size of a plain one, or what the first page of a compressed one says. Nil if there is none.
    func segmentSize() throws(UnderstudyError) -> WALSegmentSize? {
        for name in names.sorted() {
            let bytes: UInt64?
            if name.utf8.count == 24 {
                do throws(FileIOError) {
                    bytes = UInt64(clamping: try directory.status(of: RelativePath(name), followsLink: true).st_size)
                } catch { throw UnderstudyError(error) }
            } else {
                bytes = try beginning(of: name).flatMap { WALPageHeader($0) }?.segmentSize
            }
            if let size = bytes.flatMap({ WALSegmentSize(bytes: $0) }) { return size }
        }
        return nil
    }

    /// The first bytes of a compressed file; nil if it is none.
    private func beginning(of name: String) throws(UnderstudyError) -> [UInt8]? {
        guard let method = Compression.Method.allCases.first(where: { name.hasSuffix($0.fileSuffix) }) else {
            return nil
        }
        var bytes: [UInt8] = []
        try unpack(RelativePath(name), method, nil) { piece in
            for index in 0..<min(piece.byteCount, WALPageHeader.byteCount - bytes.count) {
                bytes.append(piece.byte(at: index))
            }
            return bytes.count < WALPageHeader.byteCount
        }
        return bytes
    }

    /// Hands over the bytes of a segment that are needed.
    ///
    /// - Parameter position: The first of them.
    /// - Returns: How many were read.
    func read(
        _ segment: WALSegmentName, from position: LSN, for verifier: inout WALVerifier, _ interrupt: Interrupt,
        _ body: (WALRecord) -> Void
    ) throws(UnderstudyError) -> UInt64 {
        guard let (name, method) = file(of: segment) else { return 0 }
        let start = segment.startLSN.rawValue
        var count: UInt64 = 0
        if let method {
            try unpack(name, method, interrupt) { piece in
                verifier.take(piece, at: LSN(rawValue: start + count), body)
                count += UInt64(piece.byteCount)
                return !verifier.isOver(segment)
            }
        } else {
            var offset = position.rawValue - start
            do throws(FileIOError) {
                let file = try directory.openLinked(name)
                while !verifier.isOver(segment), !interrupt.isRaised {
                    block.clear()
                    try block.append(
                        from: file, at: Int64(offset), atMost: block.capacity, path: directory.fullPath(name))
                    if block.count == 0 { break }
                    verifier.take(block.bytes, at: LSN(rawValue: start + offset), body)
                    count += UInt64(block.count)
                    offset += UInt64(block.count)
                    // What lies between the segment's first page and the first record is not needed.
                    if let next = verifier.request?.position, segment.contains(next) {
                        offset = max(offset, next.rawValue - start)
                    }
                }
            } catch { throw UnderstudyError(error) }
        }
        if interrupt.isRaised { throw UnderstudyError(.cancelled, "interrupted") }
        return count
    }

    /// Passes on what a compressed file holds, until `take` returns false. Of a file that is damaged or ends too early it
    /// passes on what comes before: the records show that the rest is missing.
    private func unpack(
        _ name: RelativePath, _ method: Compression.Method, _ interrupt: Interrupt?, _ take: (RawSpan) -> Bool
    ) throws(UnderstudyError) {
        let file: FileDescriptor
        var decompressor: Decompressor
        do throws(FileIOError) { file = try directory.openLinked(name) } catch { throw UnderstudyError(error) }
        do throws(CompressionError) { decompressor = try Decompressor(method) } catch { throw failure(error, name) }
        var offset: Int64 = 0
        while interrupt?.isRaised != true {
            block.clear()
            do throws(FileIOError) {
                try block.append(from: file, at: offset, atMost: block.capacity, path: directory.fullPath(name))
            } catch { throw UnderstudyError(error) }
            if block.count == 0 { return }
            offset += Int64(block.count)
            var rest = block.bytes
            do throws(CompressionError) {
                while let piece = try decompressor.nextPiece(of: &rest) {
                    if !take(piece) { return }
                }
            } catch  where error.code == .library || error.code == .memory {
                throw failure(error, name)
            } catch { return }
        }
    }

    /// Not of the file's content.
    private func failure(_ error: CompressionError, _ name: RelativePath) -> UnderstudyError {
        UnderstudyError(
            .resources, "could not read file \"\(directory.fullPath(name))\": \(error.message)", cause: error)
    }
}
