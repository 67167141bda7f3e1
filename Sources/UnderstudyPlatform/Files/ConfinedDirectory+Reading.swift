import Glibc

extension ConfinedDirectory {
    /// The size in bytes and the permission bits of an entry; a symbolic link is not followed.
    package func sizeAndMode(of relative: RelativePath) throws(FileIOError) -> (size: Int64, mode: UInt16) {
        let info = try status(of: relative)
        return (Int64(info.st_size), UInt16(truncatingIfNeeded: info.st_mode & 0o7777))
    }

    /// Reads bytes of a file, starting at an offset; through no symbolic link (see ``readLinked(_:from:atMost:)``). A pipe that
    /// nobody writes to is not waited for.
    package func read(
        _ relative: RelativePath, from offset: Int64 = 0, atMost limit: Int
    ) throws(FileIOError) -> [UInt8] {
        try openFile(relative, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY).read(
            from: offset, atMost: limit, path: fullPath(relative))
    }
}
