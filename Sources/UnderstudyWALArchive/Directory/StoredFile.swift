import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming

/// Reads a file of an archive, compressed or not.
struct StoredFile {
    let name: RelativePath
    /// nil if it is not compressed.
    let method: Compression.Method?
    let directory: ConfinedDirectory

    init(_ name: RelativePath, _ method: Compression.Method?, in directory: ConfinedDirectory) {
        self.name = name
        self.method = method
        self.directory = directory
    }

    /// For messages.
    var path: String { directory.fullPath(name) }

    /// nil if it is not compressed.
    var compressed: CompressedFile? { method.map { CompressedFile($0, name, in: directory) } }

    /// The first bytes of the content, at most `limit` of them.
    func prefix(_ limit: Int) throws(WALDestinationError) -> [UInt8] {
        if let compressed { return try compressed.prefix(limit) }
        return try writing { () throws(FileIOError) in try directory.read(name, atMost: limit) }
    }

    /// Passes the content to `take` in pages of this size, of which the last may be shorter, until `take` returns
    /// false.
    ///
    /// - Returns: How it ended; a plain file cannot be damaged.
    @discardableResult
    func pages(
        of size: Int, _ take: ([UInt8]) throws(WALDestinationError) -> Bool
    ) throws(WALDestinationError) -> CompressedFile.Ending {
        if let compressed { return try compressed.pages(of: size, take) }
        var offset: Int64 = 0
        while true {
            let page = try writing { () throws(FileIOError) in try directory.read(name, from: offset, atMost: size) }
            if page.isEmpty { return .whole }
            offset += Int64(page.count)
            guard try take(page) else { return .stopped }
            if page.count < size { return .whole }
        }
    }
}
