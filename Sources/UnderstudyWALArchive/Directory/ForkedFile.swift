import Glibc
import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// A file that belongs to the server's past up to a fork, and holds WAL after it that the server does not have.
struct ForkedFile {
    private let file: ArchivedSegment
    private let end: LSN
    private let directory: ConfinedDirectory
    private let mode: UInt16

    /// Named like all temporary files.
    private static let copyName: RelativePath = ".understudy-fork"
    private static let wholeName: RelativePath = ".understudy-aside"
    private static let step = 1 << 20

    init(_ forked: ArchivePlan.Past, in directory: ConfinedDirectory, mode: UInt16) {
        file = forked.file
        end = forked.limit
        self.directory = directory
        self.mode = mode
    }

    private var contents: ArchivedContents { ArchivedContents(file, in: directory) }
    private var partial: ArchivedSegment {
        ArchivedSegment(segment: file.segment, compression: file.compression, isPartial: true)
    }

    /// Sets the whole file aside, and keeps its part of the server's past as a partial segment. At any moment, a file
    /// with the name of the segment, complete or partial, holds that part.
    ///
    /// - Returns: The name of the file that was set aside.
    func divide() throws(WALDestinationError) -> String {
        do throws(WALDestinationError) { return try makeCopies() } catch {
            // Free their space: it may be needed to fix the problem.
            for name in [Self.copyName, Self.wholeName] { try? directory.remove(name) }
            throw error
        }
    }

    private func makeCopies() throws(WALDestinationError) -> String {
        try copyPast()
        let name = contents.name, left = RelativePath(partial.fileName)
        if file.isPartial {
            try copyWhole()
            return try writing { () throws(FileIOError) in
                let aside = try directory.setAside(Self.wholeName, as: name, mode: mode)
                try directory.rename(Self.copyName, to: left)
                try directory.sync()
                return aside
            }
        }
        return try writing { () throws(FileIOError) in
            // The partial file can hold no more than the complete one.
            if directory.exists(left) { _ = try directory.setAside(left, mode: mode) }
            try directory.rename(Self.copyName, to: left)
            try directory.sync()
            return try directory.setAside(name, mode: mode)
        }
    }

    private func copyPast() throws(WALDestinationError) {
        let count = Int(end.segmentOffset(file.segment.size))
        try write(to: Self.copyName) { put throws(WALDestinationError) in
            var left = count
            guard let method = file.compression else {
                try contents.pages(of: Self.step) { page throws(WALDestinationError) in
                    try put(Array(page.prefix(left)))
                    left -= min(left, page.count)
                    return left > 0
                }
                // Partial files have the full size, with zeros after what they hold.
                let size = Int(file.segment.size.bytes)
                let zeros = [UInt8](repeating: 0, count: Self.step)
                left = size - count
                while left > 0 {
                    try put(Array(zeros.prefix(left)))
                    left -= min(left, Self.step)
                }
                return
            }
            try compress(method, upTo: count, put)
        }
    }

    private func compress(
        _ method: Compression.Method, upTo count: Int, _ put: ([UInt8]) throws(WALDestinationError) -> Void
    ) throws(WALDestinationError) {
        func compressing(_ body: () throws(CompressionError) -> Void) throws(WALDestinationError) {
            do throws(CompressionError) { try body() } catch {
                throw WALDestinationError(
                    "could not compress file \"\(directory.fullPath(Self.copyName))\": \(error.message)", cause: error)
            }
        }
        var compressor: Compressor
        do throws(CompressionError) {
            compressor = try Compressor(method, level: nil, contentSize: file.segment.size.bytes)
        } catch { throw WALDestinationError(error.message, cause: error) }
        var left = count
        try contents.pages(of: Self.step) { page throws(WALDestinationError) in
            let bytes = Array(page.prefix(left))
            var output: [UInt8] = []
            try compressing { () throws(CompressionError) in
                try compressor.compress(unsafe bytes.span.bytes, into: &output)
            }
            left -= bytes.count
            try put(output)
            return left > 0
        }
        var output: [UInt8] = []
        try compressing { () throws(CompressionError) in try compressor.flush(into: &output) }
        try put(output)
    }

    private func copyWhole() throws(WALDestinationError) {
        try write(to: Self.wholeName) { put throws(WALDestinationError) in
            var offset: Int64 = 0
            while true {
                let bytes = try writing { () throws(FileIOError) in
                    try directory.read(contents.name, from: offset, atMost: Self.step)
                }
                try put(bytes)
                if bytes.count < Self.step { return }
                offset += Int64(Self.step)
            }
        }
    }

    /// Creates a file, and puts it on stable storage.
    private func write(
        to name: RelativePath,
        _ body: (([UInt8]) throws(WALDestinationError) -> Void) throws(WALDestinationError) -> Void
    ) throws(WALDestinationError) {
        let path = directory.fullPath(name)
        let file = try writing { () throws(FileIOError) in
            if directory.exists(name) { try directory.remove(name) }
            return try directory.createFile(name, mode: mode)
        }
        var offset: Int64 = 0
        try body { bytes throws(WALDestinationError) in
            try writing { () throws(FileIOError) in
                try unsafe file.write(bytes.span.bytes, at: offset, path: path)
            }
            offset += Int64(bytes.count)
        }
        try syncing { () throws(FileIOError) in try file.sync(path: path) }
        do throws(FileIOError) { try file.close(path: path) } catch {
            throw WALDestinationError(error, isTemporary: false)
        }
    }
}
