import CUnderstudyLinux
package import Glibc

/// The files beneath a directory, for who only reads them: symbolic links are followed, wherever they lead.
package final class ReadOnlyTree: Sendable {
    /// The path that it was opened with, for messages.
    package let path: String
    private let descriptor: FileDescriptor

    package init(path: String) throws(FileIOError) {
        let raw = try SystemCall.run { unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
            .orThrow("could not open directory", path)
        self.path = path
        descriptor = FileDescriptor(owning: raw)
    }

    package func fullPath(_ relative: RelativePath) -> String { "\(path)/\(relative)" }

    /// Calls `body` for each name in a directory, without `.` and `..`, in the order of the file system, as long as it
    /// returns true.
    ///
    /// - Parameter relative: nil for the directory itself.
    package func forEachName(
        in relative: RelativePath?, _ body: (RelativePath) throws(FileIOError) -> Bool
    ) throws(FileIOError) {
        let shown = relative.map(fullPath) ?? path
        let name = relative ?? RelativePath(".")
        let raw = try SystemCall.run {
            unsafe understudy_openat(descriptor.rawValue, name.cString, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        }.orThrow("could not open directory", shown)
        guard let stream = unsafe fdopendir(raw) else {
            let error = FileIOError("could not open directory", shown)
            _ = close(raw)
            throw error
        }
        defer { unsafe closedir(stream) }
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw FileIOError("could not read directory", shown) }
                return
            }
            // readdir's entry is valid until the next call, and its name ends with a NUL.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe RelativePath(bytes: $0) }
            if name == "." || name == ".." { continue }
            guard try body(name) else { return }
        }
    }

    package func status(of relative: RelativePath) throws(FileIOError) -> stat {
        var info = stat()
        // fstatat fills the struct.
        _ = try SystemCall.run { unsafe fstatat(descriptor.rawValue, relative.cString, &info, 0) }
            .orThrow("could not stat file or directory", relative.description)
        return info
    }

    /// Opens a file to be read from its beginning to its end. Does not block, even for a pipe. An error names the relative
    /// path.
    package func openFile(_ relative: RelativePath) throws(FileIOError) -> FileDescriptor {
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        let raw = try SystemCall.run { unsafe understudy_openat(descriptor.rawValue, relative.cString, flags, 0) }
            .orThrow("could not open file", relative.description)
        // Twice the usual readahead. It is advice: who does not take it answers with an error that means nothing.
        _ = posix_fadvise(raw, 0, 0, POSIX_FADV_SEQUENTIAL)
        return FileDescriptor(owning: raw)
    }
}

extension RelativePath {
    package func appending(_ name: RelativePath) -> RelativePath {
        RelativePath(bytes: bytes + [UInt8(ascii: "/")] + name.bytes)
    }
}
