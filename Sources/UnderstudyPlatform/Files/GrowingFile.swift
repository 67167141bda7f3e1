import CUnderstudyLinux
import Glibc

/// A new file that grows, and whose parts may be written in any order. It has a name, or none: then whatever ends the
/// process removes it.
package final class GrowingFile: @unchecked Sendable {
    // Sendable: one thread writes, and another uses it once the first has ended.
    private var descriptor: FileDescriptor?
    /// For messages; of a file without a name, its directory.
    package let path: String
    /// Its size.
    package private(set) var count: Int64 = 0

    private static let pieceSize = 1 << 18

    package init(in directory: ConfinedDirectory, _ name: RelativePath, mode: UInt16) throws(FileIOError) {
        path = directory.fullPath(name)
        descriptor = try directory.createFile(name, mode: mode)
    }

    /// A file without a name.
    package init(namelessIn directory: String, holding content: String) throws(FileIOError) {
        path = "\(directory)/(\(content))"
        let raw = unsafe understudy_openat(AT_FDCWD, directory, understudy_O_TMPFILE | O_RDWR | O_CLOEXEC, 0o600)
        if raw >= 0 {
            descriptor = FileDescriptor(owning: raw)
        } else if [EOPNOTSUPP, EISDIR, EINVAL].contains(errno) {
            descriptor = try Self.unlinked(in: directory)
        } else {
            throw FileIOError("could not create file in", directory)
        }
    }

    /// For file systems without nameless files: a new file whose name is removed at once.
    private static func unlinked(in directory: String) throws(FileIOError) -> FileDescriptor {
        var template = Array("\(directory)/understudy.XXXXXX".utf8CString)
        // mkstemp writes the name that it has chosen into the array.
        let raw = unsafe template.withUnsafeMutableBufferPointer { unsafe mkstemp($0.baseAddress!) }
        guard raw >= 0 else { throw FileIOError("could not create file in", directory) }
        _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
        _ = unsafe template.withUnsafeBufferPointer { unsafe unlink($0.baseAddress!) }
        return FileDescriptor(owning: raw)
    }

    package func append(_ bytes: RawSpan) throws(FileIOError) {
        try write(bytes, at: count)
    }

    package func write(_ bytes: RawSpan, at offset: Int64) throws(FileIOError) {
        try descriptor?.write(bytes, at: offset, path: path)
        count = max(count, offset + Int64(bytes.byteCount))
    }

    /// Lengthens it by zeros, for which there is room then.
    package func extend(to size: Int64) throws(FileIOError) {
        guard size > count else { return }
        if try descriptor?.preallocate(UInt64(size), path: path) == false {
            try descriptor?.fillWithZeros(count..<size, path: path)
        }
        count = size
    }

    package func sync() throws(FileIOError) {
        try descriptor?.sync(path: path)
    }

    package func close() throws(FileIOError) {
        try descriptor.take()?.close(path: path)
    }

    /// Passes all of it on, if it can be read: one without a name.
    package func read(_ body: ([UInt8]) throws(FileIOError) -> Void) throws(FileIOError) {
        var offset: Int64 = 0
        while offset < count {
            let wanted = Int(min(Int64(Self.pieceSize), count - offset))
            let piece = try descriptor?.read(from: offset, atMost: wanted, path: path) ?? []
            guard !piece.isEmpty else { throw FileIOError("could not read again from file in", path, number: EIO) }
            try body(piece)
            offset += Int64(piece.count)
        }
    }
}
