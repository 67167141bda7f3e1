import CUnderstudyLinux
import Glibc

/// A directory outside of which nothing can be made or opened.
///
/// Every path given to it is relative and resolved beneath its descriptor without following any symbolic
/// link: openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, or, where a kernel or a sandbox refuses that
/// call, a walk with O_NOFOLLOW. What is made is made with O_EXCL: nothing that exists is ever written over.
package final class ConfinedDirectory: Sendable {
    /// The path it was opened by, for messages.
    package let path: String
    private let descriptor: FileDescriptor
    private let owner: FileOwner?

    /// Opens a directory that exists.
    ///
    /// - Parameter owner: Whom everything made in it will belong to; nil for the process's own user.
    package init(path: String, owner: FileOwner? = nil) throws(FileIOError) {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
        let raw = try SystemCall.run { unsafe open(path, flags) }.orThrow("could not open directory", path)
        self.path = path
        self.owner = owner
        descriptor = FileDescriptor(owning: raw)
    }

    init(path: String, owner: FileOwner? = nil, taking descriptor: consuming FileDescriptor) {
        self.path = path
        self.owner = owner
        self.descriptor = descriptor
    }

    package var rawDescriptor: CInt { descriptor.rawValue }

    /// The whole path of something in it, for messages.
    package func fullPath(_ relative: String) -> String {
        relative.isEmpty ? path : "\(path)/\(relative)"
    }

    // MARK: - Making

    /// Makes a regular file for writing.
    ///
    /// - Parameters:
    ///   - mode: Permission bits; set exactly, whatever the umask.
    ///   - direct: Asks for O_DIRECT. Where the file system refuses it, the file is opened without, and this
    ///     is false afterwards.
    package func createFile(
        _ relative: String, mode: UInt16, direct: inout Bool
    ) throws(FileIOError) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_EXCL
        var result = openBeneath(relative, flags | (direct ? understudy_O_DIRECT : 0), mode: mode)
        if direct, case .failure(let errno) = result, errno.number == EINVAL {
            // Some file systems make the file before they refuse O_DIRECT, so it may be there, empty and ours.
            direct = false
            _ = unlinkBeneath(relative)
            result = openBeneath(relative, flags, mode: mode)
        }
        let raw = try result.orThrow("could not create file", fullPath(relative))
        let file = FileDescriptor(owning: raw)
        // openat takes the umask's bits away: only bits beyond the owner's can be missing.
        if mode & 0o077 != 0 { try file.setMode(mode, path: fullPath(relative)) }
        if let owner { try file.setOwner(owner, path: fullPath(relative)) }
        return file
    }

    /// Makes a regular file for writing through the page cache.
    package func createFile(_ relative: String, mode: UInt16) throws(FileIOError) -> FileDescriptor {
        var direct = false
        return try createFile(relative, mode: mode, direct: &direct)
    }

    /// Opens a regular file that exists.
    package func openFile(_ relative: String, flags: CInt) throws(FileIOError) -> FileDescriptor {
        let raw = try openBeneath(relative, flags | O_NOFOLLOW, mode: 0)
            .orThrow("could not open file", fullPath(relative))
        return FileDescriptor(owning: raw)
    }

    package func makeDirectory(_ relative: String, mode: UInt16) throws(FileIOError) {
        let (parent, name) = try parent(of: relative)
        _ = try SystemCall.run { unsafe mkdirat(parent.rawValue, name, mode_t(mode)) }
            .orThrow("could not create directory", fullPath(relative))
        if mode & 0o077 != 0 || owner != nil {
            let made = try openDirectory(relative)
            try made.setMode(mode)
            try made.takeOwnership()
        }
    }

    /// Makes a symbolic link with this target, which is not looked at.
    package func makeSymbolicLink(_ relative: String, to target: String) throws(FileIOError) {
        let (parent, name) = try parent(of: relative)
        _ = try SystemCall.run { unsafe symlinkat(target, parent.rawValue, name) }
            .orThrow("could not create symbolic link", fullPath(relative))
        if let owner {
            _ = try SystemCall.run {
                unsafe fchownat(parent.rawValue, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW)
            }.orThrow("could not set the owner of symbolic link", fullPath(relative))
        }
    }

    /// Opens a directory in it.
    package func openDirectory(_ relative: String) throws(FileIOError) -> ConfinedDirectory {
        let raw = try openBeneath(relative, O_RDONLY | O_DIRECTORY, mode: 0)
            .orThrow("could not open directory", fullPath(relative))
        return ConfinedDirectory(path: fullPath(relative), owner: owner, taking: FileDescriptor(owning: raw))
    }

    package func rename(_ old: String, to new: String) throws(FileIOError) {
        let (oldParent, oldName) = try parent(of: old)
        let (newParent, newName) = try parent(of: new)
        _ = try SystemCall.run {
            unsafe renameat(oldParent.rawValue, oldName, newParent.rawValue, newName)
        }.orThrow("could not rename file \"\(fullPath(old))\" to", fullPath(new))
    }

    // MARK: - Asking

    package func exists(_ relative: String) -> Bool {
        var info = stat()
        guard let (parent, name) = try? parent(of: relative) else { return false }
        return unsafe fstatat(parent.rawValue, name, &info, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// The permission bits of the directory itself.
    package func mode() throws(FileIOError) -> UInt16 {
        var info = stat()
        _ = try SystemCall.run { unsafe fstat(descriptor.rawValue, &info) }
            .orThrow("could not stat directory", path)
        return UInt16(truncatingIfNeeded: info.st_mode & 0o7777)
    }

    /// Bytes that may still be written on its file system, and the number of the device they are on.
    package func freeSpace() throws(FileIOError) -> (device: UInt64, bytes: UInt64) {
        var info = stat()
        _ = try SystemCall.run { unsafe fstat(descriptor.rawValue, &info) }
            .orThrow("could not stat directory", path)
        let available = try SystemCall.run { understudy_available_bytes(descriptor.rawValue) }
            .orThrow("could not stat file system of", path)
        return (UInt64(info.st_dev), UInt64(available))
    }

    package func setMode(_ mode: UInt16) throws(FileIOError) {
        try descriptor.setMode(mode, path: path)
    }

    /// Gives the directory itself the owner of what is made in it.
    package func takeOwnership() throws(FileIOError) {
        if let owner { try descriptor.setOwner(owner, path: path) }
    }

    /// fsync(2) of the directory: its entries are on stable storage afterwards.
    package func sync() throws(FileIOError) {
        try descriptor.sync(path: path)
    }

    // MARK: - Resolving

    private func unlinkBeneath(_ relative: String) -> Bool {
        guard let (parent, name) = try? parent(of: relative) else { return false }
        return unsafe unlinkat(parent.rawValue, name, 0) == 0
    }

    /// The directory that holds `relative`, and its last component.
    private func parent(of relative: String) throws(FileIOError) -> (ParentDirectory, String) {
        guard let slash = relative.lastIndex(of: "/") else {
            return (ParentDirectory(borrowed: descriptor.rawValue), relative)
        }
        let directory = String(relative[..<slash])
        let raw = try openBeneath(directory, O_RDONLY | O_DIRECTORY, mode: 0)
            .orThrow("could not open directory", fullPath(directory))
        return (ParentDirectory(owned: FileDescriptor(owning: raw)), String(relative[relative.index(after: slash)...]))
    }

    private func openBeneath(_ relative: String, _ flags: CInt, mode: UInt16) -> Result<CInt, SystemCall.Errno> {
        let flags = flags | O_CLOEXEC
        let result = SystemCall.run {
            unsafe understudy_open_confined(descriptor.rawValue, relative, flags, UInt32(mode))
        }
        // EPERM is what some sandboxes say of a call that they do not know.
        if case .failure(let errno) = result, errno.number == ENOSYS || errno.number == EPERM {
            return Self.walk(from: descriptor.rawValue, relative, flags, mode: mode)
        }
        return result
    }

    /// Opens `relative` component by component, none of them a symbolic link, `..` or empty.
    static func walk(
        from directory: CInt, _ relative: String, _ flags: CInt, mode: UInt16
    ) -> Result<CInt, SystemCall.Errno> {
        let components = relative.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if components.contains(where: { $0.isEmpty || $0 == ".." }) { return .failure(.init(number: EXDEV)) }
        var current: ParentDirectory = ParentDirectory(borrowed: directory)
        for component in components.dropLast() {
            let next = SystemCall.run {
                unsafe openat(current.rawValue, component, understudy_O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            switch next {
            case .success(let raw): current = ParentDirectory(owned: FileDescriptor(owning: raw))
            case .failure: return next
            }
        }
        return SystemCall.run {
            unsafe understudy_openat(current.rawValue, components[components.count - 1], flags | O_NOFOLLOW, UInt32(mode))
        }
    }
}

/// A directory descriptor that is another's, or our own to close.
private final class ParentDirectory {
    let rawValue: CInt
    private let owned: FileDescriptor?

    init(borrowed: CInt) {
        rawValue = borrowed
        owned = nil
    }

    init(owned: consuming FileDescriptor) {
        rawValue = owned.rawValue
        self.owned = consume owned
    }
}
