import CUnderstudyLinux
import Glibc

/// What may meet something that is there already. No symbolic link is followed, and no file is written that has another
/// name beside its own.
extension ConfinedDirectory {
    /// Opens a regular file for writing, without emptying it. What else lies in its place is removed, and the file made anew;
    /// so is one that may not be written.
    ///
    /// - Parameters:
    ///   - mode: As for ``createFile(_:mode:direct:)``.
    ///   - direct: As for ``createFile(_:mode:direct:)``.
    ///   - found: Receives the size of the file that was there; zero for a new one.
    package func updateFile(
        _ relative: RelativePath, mode: UInt16, direct: inout Bool, found: inout UInt64
    ) throws(FileIOError) -> FileDescriptor {
        found = 0
        if let info = try? status(of: relative) {
            if Self.isUpdatable(info) {
                let flags = O_WRONLY | O_NONBLOCK
                var result = openBeneath(
                    relative, flags | O_NOFOLLOW | (direct ? understudy_O_DIRECT : 0), mode: 0)
                if direct, case .failure(let errno) = result, errno.number == EINVAL {
                    direct = false
                    result = openBeneath(relative, flags | O_NOFOLLOW, mode: 0)
                }
                switch result {
                case .success(let raw):
                    let path = fullPath(relative), file = FileDescriptor(owning: raw)
                    let info = try file.status(path: path)
                    guard Self.isUpdatable(info) else { break }
                    let current = UInt16(truncatingIfNeeded: info.st_mode & 0o7777)
                    if let owner, owner != FileOwner(user: info.st_uid, group: info.st_gid) {
                        try file.setOwner(owner, path: path)
                    }
                    if current != mode & 0o7777 { try file.setMode(mode, path: path) }
                    found = UInt64(info.st_size)
                    return file
                case .failure(let errno) where errno.number == EACCES: break
                case .failure: _ = try result.orThrow("could not open file", fullPath(relative))
                }
            }
            try removeTree(relative)
        }
        return try createFile(relative, mode: mode, direct: &direct)
    }

    /// Makes a directory, or gives the one that is there this mode and the owner. What else lies in its place is removed.
    package func takeDirectory(_ relative: RelativePath, mode: UInt16) throws(FileIOError) {
        if let info = try? status(of: relative) {
            if info.st_mode & S_IFMT == S_IFDIR {
                let directory = try openDirectory(relative)
                if UInt16(truncatingIfNeeded: info.st_mode & 0o7777) != mode { try directory.setMode(mode) }
                return try directory.takeOwnership()
            }
            try remove(relative)
        }
        try makeDirectory(relative, mode: mode)
    }

    /// Makes a symbolic link, unless one is there that leads to the same place. What else lies in its place is removed.
    package func takeSymbolicLink(_ relative: RelativePath, to target: String) throws(FileIOError) {
        if exists(relative) {
            if linkTarget(relative) == target { return }
            try removeTree(relative)
        }
        try makeSymbolicLink(relative, to: target)
    }

    /// Removes what has this name, a directory with all that is in it; does nothing if there is no such name. Follows no
    /// symbolic link and enters no other file system.
    package func removeTree(_ relative: RelativePath, interrupt: Interrupt? = nil) throws(FileIOError) {
        guard let kind = try kindIfThere(relative) else { return }
        let isDirectory = kind == .directory
        if isDirectory {
            let (parent, name) = relative.parentAndName
            let place = if let parent { try openDirectory(parent) } else { self }
            try place.emptyDirectory(name, interrupt)
        }
        try remove(relative, isDirectory: isDirectory)
    }
}
