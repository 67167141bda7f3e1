import CUnderstudyLinux
import Glibc

extension ConfinedDirectory {
    /// The size in bytes and the permission bits of an entry; a symbolic link is not followed.
    package func sizeAndMode(of relative: RelativePath) throws(FileIOError) -> (size: Int64, mode: UInt16) {
        let info = try status(of: relative)
        return (Int64(info.st_size), UInt16(truncatingIfNeeded: info.st_mode & 0o7777))
    }

    /// Reads bytes of a file, starting at an offset.
    package func read(
        _ relative: RelativePath, from offset: Int64 = 0, atMost limit: Int
    ) throws(FileIOError) -> [UInt8] {
        let path = fullPath(relative)
        if readsThroughLinks {
            return try openThroughLink(relative).read(from: offset, atMost: limit, path: path)
        }
        return try openFile(relative, flags: O_RDONLY).read(from: offset, atMost: limit, path: path)
    }

    /// Opens a regular file for reading, wherever it lies. Waits for nobody, even if a link leads to a pipe.
    private func openThroughLink(_ relative: RelativePath) throws(FileIOError) -> FileDescriptor {
        let place = try Place(relative, in: self)
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        let raw = try SystemCall.run { unsafe understudy_openat(place.directory, place.name.cString, flags, 0) }
            .orThrow("could not open file", fullPath(relative))
        let file = FileDescriptor(owning: raw)
        try file.requireRegular(path: fullPath(relative))
        return file
    }
}
