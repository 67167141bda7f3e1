import Glibc

extension ConfinedDirectory {
    package struct Entry: Sendable, Equatable {
        package enum Kind: Sendable {
            case file, directory, symbolicLink, other
        }

        package var name: RelativePath
        package var kind: Kind
    }

    /// What lies in the directory, without `.` and `..`: readdir(3).
    package func entries() throws(FileIOError) -> [Entry] {
        // A descriptor of its own: reading moves the offset, and closedir closes it.
        let copy = try openBeneath(".", O_RDONLY | O_DIRECTORY, mode: 0).orThrow("could not open directory", path)
        guard let stream = unsafe fdopendir(copy) else {
            let error = FileIOError("could not open directory", path)
            _ = close(copy)
            throw error
        }
        defer { unsafe closedir(stream) }
        var entries: [Entry] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw FileIOError("could not read directory", path) }
                return entries
            }
            // readdir's entry is valid until the next call, and its name ends with a NUL.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe RelativePath(bytes: $0) }
            if name == "." || name == ".." { continue }
            entries.append(Entry(name: name, kind: try unsafe kind(of: name, type: entry.pointee.d_type)))
        }
    }

    package func isEmpty() throws(FileIOError) -> Bool {
        try entries().isEmpty
    }

    /// Removes everything in the directory that can be removed, following no symbolic link. The directory itself
    /// stays. Throws the first failure at the end.
    ///
    /// - Parameter last: What goes when everything else has gone, and stays if that could not.
    package func removeContents(last: RelativePath? = nil, keepsLast: Bool = false) throws(FileIOError) {
        var failure: FileIOError?
        let entries = try entries()
        for entry in entries where entry.name != last {
            do throws(FileIOError) {
                if entry.kind == .directory { try emptyDirectory(entry.name) }
                try remove(entry.name, isDirectory: entry.kind == .directory)
            } catch { failure = failure ?? error }
        }
        if failure == nil, !keepsLast, let last, entries.contains(where: { $0.name == last }) { try remove(last) }
        if let failure { throw failure }
    }

    /// Empties a directory in it, also one that its mode has closed to its owner.
    private func emptyDirectory(_ name: RelativePath) throws(FileIOError) {
        do throws(FileIOError) {
            try openDirectory(name).removeContents()
        } catch  where error.number == EACCES {
            let place = try Place(name, in: self)
            _ = try SystemCall.run {
                unsafe fchmodat(place.directory, place.name.cString, 0o700, AT_SYMLINK_NOFOLLOW)
            }.orThrow("could not set permissions on directory", fullPath(name))
            try openDirectory(name).removeContents()
        }
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
