package import Glibc

/// The bytes of a regular file; links in the path are followed. Nil if there is none of that name. Does not block on
/// opening, even for a pipe.
///
/// - Throws: `FileIOError` if it is something else than a regular file, cannot be read or is longer than `limit`.
package func bytesOfRegularFile(_ path: String, atMost limit: Int) throws(FileIOError) -> [UInt8]? {
    let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    let raw: CInt
    do throws(FileIOError) {
        raw = try SystemCall.run({ unsafe open(path, flags) }).orThrow("could not open file", path)
    } catch  where error.number == ENOENT {
        return nil
    }
    let file = FileDescriptor(owning: raw)
    let info = try file.requireRegular(path: path)
    guard info.st_size <= limit else { throw FileIOError("could not read file", path, number: EFBIG) }
    return try file.read(atMost: limit, path: path)
}

extension FileDescriptor {
    /// - Returns: The status of a regular file.
    /// - Throws: If it is something else.
    @discardableResult
    func requireRegular(path: String) throws(FileIOError) -> stat {
        let info = try status(path: path)
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw FileIOError("could not read file", path, number: info.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
        }
        return info
    }

    package func status(path: @autoclosure () -> String) throws(FileIOError) -> stat {
        var info = stat()
        // fstat fills the struct.
        _ = try SystemCall.run { unsafe fstat(rawValue, &info) }.orThrow("could not stat file", path())
        return info
    }
}
