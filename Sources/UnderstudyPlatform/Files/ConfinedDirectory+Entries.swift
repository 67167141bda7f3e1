import CUnderstudyLinux
import Glibc

extension ConfinedDirectory {
    package struct Entry: Sendable, Equatable {
        package enum Kind: Sendable {
            case file, directory, symbolicLink, other
        }

        package var name: RelativePath
        package var kind: Kind
    }

    /// The entries of the directory, without `.` and `..`: readdir(3). In a copy of a server's files, the server
    /// decides how many there are: see ``forEachEntry(_:)``.
    package func entries() throws(FileIOError) -> [Entry] {
        var entries: [Entry] = []
        try forEachEntry { entry throws(FileIOError) in
            entries.append(entry)
            return true
        }
        return entries
    }

    /// Calls `body` for each entry of the directory, as long as it returns true. `body` may remove the entry.
    package func forEachEntry(_ body: (Entry) throws(FileIOError) -> Bool) throws(FileIOError) {
        // A separate descriptor: reading moves its offset, and closedir closes it.
        let copy = try openBeneath(".", O_RDONLY | O_DIRECTORY, mode: 0).orThrow("could not open directory", path)
        guard let stream = unsafe fdopendir(copy) else {
            let error = FileIOError("could not open directory", path)
            _ = close(copy)
            throw error
        }
        defer { unsafe closedir(stream) }
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw FileIOError("could not read directory", path) }
                return
            }
            // readdir's entry is valid until the next call, and its name ends with a NUL.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe RelativePath(bytes: $0) }
            if name == "." || name == ".." { continue }
            let kind = try unsafe kind(of: name, type: entry.pointee.d_type)
            guard try body(Entry(name: name, kind: kind)) else { return }
        }
    }

    /// - Parameter names: Directories that do not count if they are empty, and another file system is mounted there.
    package func isEmpty(besidesMounts names: [RelativePath] = []) throws(FileIOError) -> Bool {
        try count(upTo: 1, besidesMounts: names) == 0
    }

    /// The number of entries, or `limit` if there are more.
    package func count(upTo limit: Int, besidesMounts names: [RelativePath] = []) throws(FileIOError) -> Int {
        var count = 0
        try forEachEntry { entry throws(FileIOError) in
            if names.contains(entry.name), isEmptyMount(entry.name) { return true }
            count += 1
            return count < limit
        }
        return count
    }

    /// Whether another file system is mounted there.
    package func isMount(_ name: RelativePath) -> Bool {
        guard let own = try? identity().device, let mounted = try? openDirectory(name).identity().device else {
            return false
        }
        return own != mounted
    }

    /// The same of one that is empty.
    package func isEmptyMount(_ name: RelativePath) -> Bool {
        isMount(name) && (try? openDirectory(name).isEmpty()) ?? false
    }

    /// Removes everything removable from the directory. Follows no symbolic link and enters no other file system; an
    /// empty one that is mounted there stays, and is no failure. The directory itself stays. Throws the first failure at the end.
    ///
    /// - Parameters:
    ///   - kept: An entry that stays.
    ///   - interrupt: Ends the removal between two files.
    package func removeContents(except kept: RelativePath? = nil, interrupt: Interrupt? = nil) throws(FileIOError) {
        var failure: FileIOError?
        // On some file systems readdir skips entries while others are removed, so the directory is read again. The
        // number of rounds is limited, in case somebody keeps filling the directory.
        for _ in 0..<Self.mostLooks {
            var hasRemoved = false
            failure = nil
            try forEachEntry { entry throws(FileIOError) in
                if entry.name == kept { return true }
                if let interrupt, interrupt.isRaised { throw .interrupted(path) }
                // It was there before.
                if entry.kind == .directory, isEmptyMount(entry.name) { return true }
                do throws(FileIOError) {
                    if entry.kind == .directory { try emptyDirectory(entry.name, interrupt) }
                    try remove(entry.name, isDirectory: entry.kind == .directory)
                    hasRemoved = true
                } catch {
                    if error.isInterruption { throw error }
                    failure = failure ?? error
                }
                return true
            }
            if !hasRemoved { break }
        }
        if let failure { throw failure }
    }

    private static let mostLooks = 3

    /// Empties a subdirectory, even if its mode denies its owner access.
    func emptyDirectory(_ name: RelativePath, _ interrupt: Interrupt?) throws(FileIOError) {
        do throws(FileIOError) {
            try openOnSameMount(name).removeContents(interrupt: interrupt)
        } catch  where error.number == EACCES {
            let place = try Place(name, in: self)
            _ = try SystemCall.run {
                unsafe fchmodat(place.directory, place.name.cString, 0o700, AT_SYMLINK_NOFOLLOW)
            }.orThrow("could not set permissions on directory", fullPath(name))
            try openOnSameMount(name).removeContents(interrupt: interrupt)
        }
    }

    /// Opens a subdirectory, unless another file system is mounted there, which must not be emptied.
    private func openOnSameMount(_ name: RelativePath) throws(FileIOError) -> ConfinedDirectory {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
        let result = SystemCall.run { unsafe understudy_open_same_mount(rawDescriptor, name.cString, flags) }
        if case .failure(let errno) = result, errno.number == ENOSYS || errno.number == EPERM {
            let directory = try openDirectory(name)
            guard try directory.identity().device == identity().device else {
                throw FileIOError("could not open directory", fullPath(name), number: EXDEV)
            }
            return directory
        }
        let raw = try result.orThrow("could not open directory", fullPath(name))
        return ConfinedDirectory(path: fullPath(name), taking: FileDescriptor(owning: raw))
    }

    private func kind(of name: RelativePath, type: UInt8) throws(FileIOError) -> Entry.Kind {
        switch Int(type) {
        case Int(DT_REG): return .file
        case Int(DT_DIR): return .directory
        case Int(DT_LNK): return .symbolicLink
        // Some file systems do not report the type here, only with stat.
        case Int(DT_UNKNOWN): return try kind(of: name)
        default: return .other
        }
    }

    /// What has this name; a link is not followed.
    package func kind(of name: RelativePath) throws(FileIOError) -> Entry.Kind {
        switch try status(of: name).st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .symbolicLink
        default: .other
        }
    }

    /// What has this name; nil if nothing has. A failure is no answer, unlike with ``exists(_:)``.
    package func kindIfThere(_ name: RelativePath) throws(FileIOError) -> Entry.Kind? {
        do throws(FileIOError) { return try kind(of: name) } catch  where [ENOENT, ENOTDIR].contains(error.number) {
            return nil
        }
    }
}
