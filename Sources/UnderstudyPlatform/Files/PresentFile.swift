package import Glibc

/// A file that a directory holds already, opened for reading.
package final class PresentFile {
    private let descriptor: FileDescriptor
    /// The full path, for messages.
    package let path: String
    /// When it was opened.
    package let size: UInt64

    init(_ descriptor: consuming FileDescriptor, path: String, size: UInt64) {
        self.descriptor = descriptor
        self.path = path
        self.size = size
    }

    /// Replaces what the block holds by bytes from an offset on; fewer than the limit if the file ends. The block must have
    /// room for them.
    package func read(into block: Block, from offset: UInt64, atMost limit: Int) throws(FileIOError) {
        block.clear()
        try block.append(from: descriptor, at: Int64(offset), atMost: limit, path: path)
    }
}

extension ConfinedDirectory {
    /// Opens a file for reading that may be updated in place.
    ///
    /// - Returns: nil if there is none: it must be a regular file that no other name leads to, and readable.
    package func openPresent(_ relative: RelativePath) throws(FileIOError) -> PresentFile? {
        do throws(FileIOError) {
            // A device could act on being opened.
            guard Self.isUpdatable(try status(of: relative)) else { return nil }
            let file = try openFile(relative, flags: O_RDONLY | O_NONBLOCK)
            let info = try file.status(path: fullPath(relative))
            guard Self.isUpdatable(info) else { return nil }
            return PresentFile(file, path: fullPath(relative), size: UInt64(info.st_size))
        } catch  where [ENOENT, ENOTDIR, ELOOP, EACCES, ENXIO].contains(error.number) {
            return nil
        }
    }

    /// A file with several names may belong to somebody else, too: a snapshot, or a cluster that was upgraded with links.
    package static func isUpdatable(_ info: stat) -> Bool { info.st_mode & S_IFMT == S_IFREG && info.st_nlink == 1 }
}
