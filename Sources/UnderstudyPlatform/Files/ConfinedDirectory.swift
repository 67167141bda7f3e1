import CUnderstudyLinux
package import Glibc

/// A directory that confines all operations: nothing outside it can be created or opened.
///
/// Every path passed to it is relative, and is resolved beneath its descriptor without following any symbolic link:
/// openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS or, if a kernel or a sandbox refuses that call, a walk with
/// O_NOFOLLOW. Files are created with O_EXCL: nothing that exists is ever overwritten, but by what is said to update it
/// (``updateFile(_:mode:direct:found:)``).
package final class ConfinedDirectory: Sendable {
    /// The path that it was opened with, for messages.
    package let path: String
    private let descriptor: FileDescriptor
    let owner: FileOwner?
    /// Whether files are read through a symbolic link in their place, wherever it leads.
    let readsThroughLinks: Bool

    /// Opens an existing directory.
    ///
    /// - Parameters:
    ///   - owner: The owner of everything created in it; nil for the process's own user.
    ///   - followsLink: Whether the last component may be a symbolic link; those above it always may.
    ///   - readsThroughLinks: Whether ``read(_:from:atMost:)`` follows a link that lies in the directory in place of a file.
    ///     Nothing is ever created, written or removed through one.
    package init(
        path: String, owner: FileOwner? = nil, followsLink: Bool = true, readsThroughLinks: Bool = false
    ) throws(FileIOError) {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (followsLink ? 0 : O_NOFOLLOW)
        let raw = try SystemCall.run { unsafe open(path, flags) }.orThrow("could not open directory", path)
        self.path = path
        self.owner = owner
        self.readsThroughLinks = readsThroughLinks
        descriptor = FileDescriptor(owning: raw)
    }

    init(path: String, owner: FileOwner? = nil, taking descriptor: consuming FileDescriptor) {
        self.path = path
        self.owner = owner
        readsThroughLinks = false
        self.descriptor = descriptor
    }

    package var rawDescriptor: CInt { descriptor.rawValue }

    /// The full path of an entry, for messages.
    package func fullPath(_ relative: RelativePath) -> String {
        "\(path)/\(relative)"
    }

    // MARK: - Making

    /// Creates a regular file for writing.
    ///
    /// - Parameters:
    ///   - mode: The permission bits, set exactly, whatever the umask.
    ///   - direct: Requests O_DIRECT. If the file system refuses it, the file is opened without it, and this is set to
    ///     false.
    package func createFile(
        _ relative: RelativePath, mode: UInt16, direct: inout Bool
    ) throws(FileIOError) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_EXCL
        // EINVAL must mean O_DIRECT only, but openat2 also returns it for unknown mode bits.
        let mode = mode & 0o7777
        var result = openBeneath(relative, flags | (direct ? understudy_O_DIRECT : 0), mode: mode)
        if direct, case .failure(let errno) = result, errno.number == EINVAL {
            // Some file systems create the file before they refuse O_DIRECT, so an empty file of ours may exist.
            direct = false
            try? remove(relative)
            result = openBeneath(relative, flags, mode: mode)
        }
        let raw = try result.orThrow("could not create file", fullPath(relative))
        let file = FileDescriptor(owning: raw)
        do throws(FileIOError) {
            // The umask removes bits; only bits beyond the owner's can be missing.
            if mode & 0o077 != 0 { try file.setMode(mode, path: fullPath(relative)) }
            if let owner { try file.setOwner(owner, path: fullPath(relative)) }
        } catch {
            try? remove(relative)
            throw error
        }
        return file
    }

    /// Creates a regular file that belongs to the process's own user, even if the directory has another owner set.
    package func createOwnFile(_ relative: RelativePath, mode: UInt16) throws(FileIOError) -> FileDescriptor {
        let raw = try openBeneath(relative, O_WRONLY | O_CREAT | O_EXCL, mode: mode & 0o7777)
            .orThrow("could not create file", fullPath(relative))
        return FileDescriptor(owning: raw)
    }

    /// Creates a regular file without a name, which disappears when it is closed: O_TMPFILE of open(2). Nil if the file
    /// system does not support it.
    package func createNamelessFile(mode: UInt16) throws(FileIOError) -> FileDescriptor? {
        let result = SystemCall.run {
            unsafe understudy_openat(
                rawDescriptor, ".", understudy_O_TMPFILE | O_WRONLY | O_CLOEXEC, UInt32(mode))
        }
        if case .failure(let errno) = result, [EOPNOTSUPP, EISDIR, EINVAL, ENOENT].contains(errno.number) {
            return nil
        }
        return FileDescriptor(owning: try result.orThrow("could not create file in", path))
    }

    /// Gives an unnamed file a name that is still free.
    package func name(_ file: borrowing FileDescriptor, _ relative: RelativePath) throws(FileIOError) {
        let source = "/proc/self/fd/\(file.rawValue)", place = try Place(relative, in: self)
        _ = try SystemCall.run {
            unsafe linkat(AT_FDCWD, source, place.directory, place.name.cString, AT_SYMLINK_FOLLOW)
        }.orThrow("could not create file", fullPath(relative))
    }

    /// Creates a regular file for writing through the page cache.
    package func createFile(_ relative: RelativePath, mode: UInt16) throws(FileIOError) -> FileDescriptor {
        var direct = false
        return try createFile(relative, mode: mode, direct: &direct)
    }

    package func makeDirectory(_ relative: RelativePath, mode: UInt16) throws(FileIOError) {
        let place = try Place(relative, in: self)
        _ = try SystemCall.run { unsafe mkdirat(place.directory, place.name.cString, mode_t(mode)) }
            .orThrow("could not create directory", fullPath(relative))
        if mode & 0o077 != 0 || owner != nil {
            let made = try openDirectory(relative)
            try made.setMode(mode)
            try made.takeOwnership()
        }
    }

    /// Creates a symbolic link. Its target is not checked.
    package func makeSymbolicLink(_ relative: RelativePath, to target: String) throws(FileIOError) {
        let place = try Place(relative, in: self)
        _ = try SystemCall.run { unsafe symlinkat(target, place.directory, place.name.cString) }
            .orThrow("could not create symbolic link", fullPath(relative))
        if let owner {
            _ = try SystemCall.run {
                unsafe fchownat(place.directory, place.name.cString, owner.user, owner.group, AT_SYMLINK_NOFOLLOW)
            }.orThrow("could not set the owner of symbolic link", fullPath(relative))
        }
    }

    // MARK: - Changing

    package func rename(_ old: RelativePath, to new: RelativePath) throws(FileIOError) {
        let from = try Place(old, in: self), to = try Place(new, in: self)
        _ = try SystemCall.run {
            unsafe renameat(from.directory, from.name.cString, to.directory, to.name.cString)
        }.orThrow("could not rename file \"\(fullPath(old))\" to", fullPath(new))
    }

    /// Renames a file if the new name is free: renameat2(2).
    ///
    /// - Returns: False if the name is taken; nothing is changed then.
    package func renameIfFree(_ old: RelativePath, to new: RelativePath) throws(FileIOError) -> Bool {
        let from = try Place(old, in: self), to = try Place(new, in: self)
        let result = SystemCall.run {
            unsafe understudy_rename_new(from.directory, from.name.cString, to.directory, to.name.cString)
        }
        if case .failure(let errno) = result {
            if errno.number == EEXIST { return false }
            // On file systems without that call, checking first is enough, because nobody else writes here.
            if errno.number == EINVAL || errno.number == ENOSYS {
                if exists(new) { return false }
                try rename(old, to: new)
                return true
            }
        }
        _ = try result.orThrow("could not rename file \"\(fullPath(old))\" to", fullPath(new))
        return true
    }

    /// Removes a file, a symbolic link or an empty directory.
    package func remove(_ relative: RelativePath, isDirectory: Bool = false) throws(FileIOError) {
        let place = try Place(relative, in: self)
        _ = try SystemCall.run {
            unsafe unlinkat(place.directory, place.name.cString, isDirectory ? AT_REMOVEDIR : 0)
        }.orThrow("could not remove", fullPath(relative))
    }

    package func setMode(_ mode: UInt16) throws(FileIOError) {
        try descriptor.setMode(mode, path: path)
    }

    /// Gives the directory itself the owner that is set for its entries.
    package func takeOwnership() throws(FileIOError) {
        if let owner { try descriptor.setOwner(owner, path: path) }
    }

    /// fsync(2) of the directory. Afterwards its entries are on stable storage.
    package func sync() throws(FileIOError) {
        try descriptor.sync(path: path)
    }

    // MARK: - Opening

    /// Opens an existing regular file.
    package func openFile(_ relative: RelativePath, flags: CInt) throws(FileIOError) -> FileDescriptor {
        let raw = try openBeneath(relative, flags | O_NOFOLLOW, mode: 0)
            .orThrow("could not open file", fullPath(relative))
        return FileDescriptor(owning: raw)
    }

    /// Opens an existing regular file for writing past the page cache; nil if its file system does not support that.
    package func openDirect(_ relative: RelativePath) throws(FileIOError) -> FileDescriptor? {
        do throws(FileIOError) {
            return try openFile(relative, flags: O_WRONLY | understudy_O_DIRECT)
        } catch  where error.number == EINVAL {
            return nil
        }
    }

    /// Opens a subdirectory.
    package func openDirectory(_ relative: RelativePath) throws(FileIOError) -> ConfinedDirectory {
        let raw = try openBeneath(relative, O_RDONLY | O_DIRECTORY, mode: 0)
            .orThrow("could not open directory", fullPath(relative))
        return ConfinedDirectory(path: fullPath(relative), owner: owner, taking: FileDescriptor(owning: raw))
    }

    /// Whether an entry of any kind has this name.
    package func exists(_ relative: RelativePath) -> Bool {
        (try? status(of: relative)) != nil
    }

    /// - Parameter followsLink: Whether to tell of what a symbolic link in its place leads to.
    package func status(of relative: RelativePath, followsLink: Bool = false) throws(FileIOError) -> stat {
        let place = try Place(relative, in: self)
        var info = stat()
        // fstatat fills the struct.
        _ = try SystemCall.run {
            unsafe fstatat(place.directory, place.name.cString, &info, followsLink ? 0 : AT_SYMLINK_NOFOLLOW)
        }.orThrow("could not stat file", fullPath(relative))
        return info
    }

    // MARK: - The directory itself

    /// The directory's permission bits and owner.
    package func modeAndOwner() throws(FileIOError) -> ModeAndOwner {
        let info = try ownStatus()
        return ModeAndOwner(
            mode: UInt16(truncatingIfNeeded: info.st_mode & 0o7777),
            owner: FileOwner(user: info.st_uid, group: info.st_gid))
    }

    package func setOwner(_ owner: FileOwner) throws(FileIOError) {
        // If the directory already has this owner, this process may not be allowed to set it, and need not.
        if try modeAndOwner().owner != owner { try descriptor.setOwner(owner, path: path) }
    }

    /// Bytes available on the directory's file system, and the number of its device.
    package func freeSpace() throws(FileIOError) -> (device: UInt64, bytes: UInt64) {
        let available = try SystemCall.run { understudy_available_bytes(descriptor.rawValue) }
            .orThrow("could not stat file system of", path)
        return (UInt64(try ownStatus().st_dev), UInt64(available))
    }

    package func ownStatus() throws(FileIOError) -> stat {
        var info = stat()
        // fstat fills the struct.
        _ = try SystemCall.run { unsafe fstat(descriptor.rawValue, &info) }.orThrow("could not stat directory", path)
        return info
    }
}

extension ConfinedDirectory {
    /// Appends bytes to an existing file, and syncs it.
    package func append(_ bytes: [UInt8], to relative: RelativePath) throws(FileIOError) {
        let path = fullPath(relative)
        let file = try openFile(relative, flags: O_WRONLY)
        let size = try status(of: relative).st_size
        try unsafe file.write(bytes.span.bytes, at: Int64(size), path: path)
        try file.sync(path: path)
    }
}
