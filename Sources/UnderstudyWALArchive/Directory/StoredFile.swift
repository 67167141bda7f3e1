import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming

/// Reads a file of an archive, compressed or not. A symbolic link in its place is followed.
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
        return try writing { () throws(FileIOError) in try directory.readLinked(name, atMost: limit) }
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
        let file = try writing { () throws(FileIOError) in try directory.openLinked(name) }
        var offset: Int64 = 0
        while true {
            let page = try writing { () throws(FileIOError) in
                try file.read(from: offset, atMost: size, path: path)
            }
            if page.isEmpty { return .whole }
            offset += Int64(page.count)
            guard try take(page) else { return .stopped }
            if page.count < size { return .whole }
        }
    }

    /// All of the content of a small file.
    ///
    /// - Throws: If it cannot be read, is damaged, cut off or longer than `limit`.
    func content(atMost limit: Int) throws(WALDestinationError) -> [UInt8] {
        var content: [UInt8] = []
        let ending = try pages(of: 1 << 16) { page in
            content += page
            return content.count <= limit
        }
        switch ending {
        case .whole: return content
        case .stopped: throw damaged("It holds more than the \(limit) bytes of such a file.")
        case .cut(0): throw damaged("It is empty.")
        case .cut(let end): throw damaged("It ends at byte \(end), before its content does.")
        case .damaged(_, let error): throw damaged("It holds something else: \(error.message).")
        }
    }

    func damaged(_ detail: String) -> WALDestinationError {
        WALDestinationError("file \"\(path)\" is damaged", detail: detail)
    }
}
