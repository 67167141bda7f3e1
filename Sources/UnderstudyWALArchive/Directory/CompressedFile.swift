import Glibc
import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Reads a compressed file of an archive, which may be truncated anywhere.
struct CompressedFile {
    private let method: Compression.Method
    private let name: RelativePath
    private let directory: ConfinedDirectory

    init(_ method: Compression.Method, _ name: RelativePath, in directory: ConfinedDirectory) {
        self.method = method
        self.name = name
        self.directory = directory
    }

    /// The number of decompressed bytes that can be read, and whether the file is complete.
    func measure() throws(WALDestinationError) -> (bytes: UInt64, isComplete: Bool) {
        var count: UInt64 = 0
        let ending = try decode { piece in
            count += UInt64(piece.byteCount)
            return true
        }
        return (count, ending == .whole)
    }

    /// The first decompressed bytes, at most `limit` of them.
    func prefix(_ limit: Int) throws(WALDestinationError) -> [UInt8] {
        var bytes: [UInt8] = []
        // Often called for thousands of files, and reads little of each.
        _ = try decode(step: 1 << 14) { piece in
            for index in 0..<min(piece.byteCount, limit - bytes.count) { bytes.append(piece.byte(at: index)) }
            return bytes.count < limit
        }
        return bytes
    }

    /// Whether the content has anything but zeros from an offset on.
    func hasContent(from start: UInt64) throws(WALDestinationError) -> Bool {
        var offset: UInt64 = 0
        var found = false
        _ = try decode { piece in
            let skipped = start > offset ? Int(min(start - offset, UInt64(piece.byteCount))) : 0
            found = !piece.extracting(skipped...).isZero
            offset += UInt64(piece.byteCount)
            return !found
        }
        return found
    }

    /// Passes the content to `take` in pages of this size, of which the last may be shorter, until `take` returns
    /// false.
    ///
    @discardableResult
    func pages(
        of size: Int, _ take: ([UInt8]) throws(WALDestinationError) -> Bool
    ) throws(WALDestinationError) -> Ending {
        var page: [UInt8] = []
        page.reserveCapacity(size)
        var failure: WALDestinationError?
        func hand() -> Bool {
            do throws(WALDestinationError) { return try take(page) } catch {
                failure = error
                return false
            }
        }
        var isWanted = true
        let ending = try decode { piece in
            var rest = piece
            while rest.byteCount > 0 {
                let count = min(size - page.count, rest.byteCount)
                // The bytes are copied within the call.
                unsafe rest.extracting(..<count).withUnsafeBytes { unsafe page.append(contentsOf: $0) }
                rest = rest.extracting(count...)
                guard page.count == size else { break }
                isWanted = hand()
                page.removeAll(keepingCapacity: true)
                if !isWanted { return false }
            }
            return true
        }
        if isWanted, !page.isEmpty { _ = hand() }
        if let failure { throw failure }
        return ending
    }

    /// How the decompression of a file ended.
    enum Ending: Equatable {
        case whole
        /// The caller wanted no more.
        case stopped
        /// The file ends too early, having this many bytes.
        case cut(at: UInt64)
        /// The damage was noticed in what was read from this offset of the file on.
        case damaged(from: UInt64, CompressionError)
    }

    /// Decompresses the file.
    ///
    /// - Parameters:
    ///   - step: How many bytes of the file to read at once.
    ///   - place: From this offset of the file on it is decompressed byte by byte, so that damage is told to the byte.
    ///   - take: Gets the decompressed bytes piece by piece, until it returns false.
    func decode(
        step: Int = 1 << 18, bytewiseFrom place: UInt64 = .max, _ take: (RawSpan) -> Bool
    ) throws(WALDestinationError) -> Ending {
        var decompressor = try decompressor(), offset: UInt64 = 0
        while true {
            let bytes = try writing { () throws(FileIOError) in
                try directory.read(name, from: Int64(offset), atMost: step)
            }
            var from = 0
            repeat {
                let end = offset + UInt64(from) < place ? bytes.count : from + 1
                do throws(CompressionError) {
                    var rest = unsafe bytes.span.bytes.extracting(from..<min(end, bytes.count))
                    while let piece = try decompressor.nextPiece(of: &rest) {
                        if !take(piece) { return .stopped }
                    }
                } catch  where error.isOfLibrary {
                    throw failure(error)
                } catch {
                    return .damaged(from: offset + UInt64(from), error)
                }
                from = end
            } while from < bytes.count
            if bytes.count < step {
                return decompressor.isAtEnd ? .whole : .cut(at: offset + UInt64(bytes.count))
            }
            offset += UInt64(step)
        }
    }

    private func decompressor() throws(WALDestinationError) -> Decompressor {
        do throws(CompressionError) { return try Decompressor(method) } catch { throw failure(error) }
    }

    private func failure(_ error: CompressionError) -> WALDestinationError {
        WALDestinationError("could not read file \"\(directory.fullPath(name))\": \(error.message)", cause: error)
    }

    /// The offset of the byte at which the decompressor notices damage; the byte itself or one before it is wrong. Reads the
    /// file again.
    ///
    /// - Parameter start: The offset of a piece in which it is noticed, as ``decode(step:bytewiseFrom:_:)`` returns it.
    func placeOfDamage(from start: UInt64) throws(WALDestinationError) -> UInt64 {
        switch try decode(bytewiseFrom: start, { _ in true }) {
        case .damaged(let place, _), .cut(let place): place
        // It was written anew meanwhile.
        case .whole, .stopped: start
        }
    }
}

extension CompressionError {
    /// Whether the library failed, or memory: the file is not at fault.
    fileprivate var isOfLibrary: Bool { code == .library || code == .memory }
}

extension Compression {
    /// Compresses a whole small file.
    func compressed(_ content: [UInt8]) throws(CompressionError) -> [UInt8] {
        guard let method else { return content }
        var compressor = try Compressor(method, level: level, contentSize: UInt64(content.count))
        var output: [UInt8] = []
        try compressor.compress(unsafe content.span.bytes, into: &output)
        try compressor.finish(into: &output)
        return output
    }
}
