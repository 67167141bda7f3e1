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

    /// What lies in the directory, without `.` and `..`: readdir(3). A server decides how much that is in a copy of its: see
    /// ``forEachEntry(_:)``.
    package func entries() throws(FileIOError) -> [Entry] {
        var entries: [Entry] = []
        try forEachEntry { entry throws(FileIOError) in
            entries.append(entry)
            return true
        }
        return entries
    }

    /// Hands on what lies in the directory, one by one, for as long as it returns true. What it has seen may be removed
    /// meanwhile.
    package func forEachEntry(_ body: (Entry) throws(FileIOError) -> Bool) throws(FileIOError) {
        // A descriptor of its own: reading moves the offset, and closedir closes it.
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

    package func isEmpty() throws(FileIOError) -> Bool {
        try count(upTo: 1) == 0
    }

    /// How much lies in it, or `limit` if there is more.
    package func count(upTo limit: Int) throws(FileIOError) -> Int {
        var count = 0
        try forEachEntry { _ throws(FileIOError) in
            count += 1
            return count < limit
        }
        return count
    }

    /// Removes everything in the directory that can be removed, following no symbolic link and entering no other file
    /// system. The directory itself stays. Throws the first failure at the end.
    ///
    /// - Parameters:
    ///   - kept: What stays.
    ///   - interrupt: Ends it between two files.
    package func removeContents(except kept: RelativePath? = nil, interrupt: Interrupt? = nil) throws(FileIOError) {
        var failure: FileIOError?
        // Some file systems pass something over when what is beside it is removed: it is there at the next look. Who goes on
        // filling the directory meanwhile does not keep this from ending.
        for _ in 0..<Self.mostLooks {
            var hasRemoved = false
            failure = nil
            try forEachEntry { entry throws(FileIOError) in
                if entry.name == kept { return true }
                if let interrupt, interrupt.isRaised { throw .interrupted(path) }
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

    /// Empties a directory in it, also one that its mode has closed to its owner.
    private func emptyDirectory(_ name: RelativePath, _ interrupt: Interrupt?) throws(FileIOError) {
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

    /// Opens a directory in it, unless another file system is mounted there: that is nobody's to empty.
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
        case Int(DT_UNKNOWN):
            // Some file systems leave the type to stat.
            switch try status(of: name).st_mode & S_IFMT {
            case S_IFREG: return .file
            case S_IFDIR: return .directory
            case S_IFLNK: return .symbolicLink
            default: return .other
            }
        default: return .other
        }
    }
}
