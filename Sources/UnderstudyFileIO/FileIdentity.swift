import Glibc

/// Which file or directory a name or a descriptor stands for, whatever it is called: fstat(2).
package struct FileIdentity: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64

    init(_ info: stat) {
        device = UInt64(info.st_dev)
        inode = UInt64(info.st_ino)
    }
}

extension FileDescriptor {
    package func identity(path: @autoclosure () -> String) throws(FileIOError) -> FileIdentity {
        var info = stat()
        // fstat fills the struct.
        _ = try SystemCall.run { unsafe fstat(rawValue, &info) }.orThrow("could not stat file", path())
        return FileIdentity(info)
    }
}

extension ConfinedDirectory {
    /// What has this name; nil if nothing has.
    package func identity(of relative: RelativePath) throws(FileIOError) -> FileIdentity? {
        do throws(FileIOError) { return FileIdentity(try status(of: relative)) } catch  where error.number == ENOENT {
            return nil
        }
    }

    /// Whether the path that it was opened by still leads to it.
    package func isAtItsPath() throws(FileIOError) -> Bool {
        var found = stat(), own = stat()
        // stat and fstat fill the structs.
        let result = SystemCall.run { unsafe stat(path, &found) }
        if case .failure(let errno) = result, errno.number == ENOENT || errno.number == ENOTDIR { return false }
        _ = try result.orThrow("could not stat directory", path)
        _ = try SystemCall.run { unsafe fstat(rawDescriptor, &own) }.orThrow("could not stat directory", path)
        return FileIdentity(found) == FileIdentity(own)
    }
}
