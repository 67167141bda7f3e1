import Glibc

/// The bytes of a regular file; links in the path are followed. Nil if it is not a regular file, cannot be read or is
/// longer than `limit`. Does not block on opening, even for a pipe.
package func bytesOfRegularFile(_ path: String, atMost limit: Int) -> [UInt8]? {
    let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    guard let raw = try? SystemCall.run({ unsafe open(path, flags) }).orThrow("could not open file", path) else {
        return nil
    }
    let file = FileDescriptor(owning: raw)
    var info = stat()
    // fstat fills the struct.
    guard unsafe fstat(file.rawValue, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size <= limit else {
        return nil
    }
    return try? file.read(atMost: limit, path: path)
}
