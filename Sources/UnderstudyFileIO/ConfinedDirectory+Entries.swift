import Glibc

extension ConfinedDirectory {
    package struct Entry: Sendable, Equatable {
        package enum Kind: Sendable {
            case file, directory, symbolicLink, other
        }

        package var name: String
        package var kind: Kind
    }

    /// What lies in the directory, without `.` and `..`: readdir(3).
    ///
    /// A name that is no UTF-8 is given with replacement characters; ``removeContents()`` deals with those.
    package func entries() throws(FileIOError) -> [Entry] {
        try rawEntries().map { entry in
            Entry(name: String(decoding: entry.name.dropLast(), as: UTF8.self), kind: entry.kind)
        }
    }

    package func isEmpty() throws(FileIOError) -> Bool {
        try rawEntries().isEmpty
    }

    /// Removes everything in the directory, following no symbolic link. The directory itself stays.
    package func removeContents() throws(FileIOError) {
        for entry in try rawEntries() {
            try remove(entry)
        }
    }

    private func remove(_ entry: RawEntry) throws(FileIOError) {
        let shown = fullPath(String(decoding: entry.name.dropLast(), as: UTF8.self))
        if entry.kind == .directory {
            // The name is NUL-terminated and outlives the call.
            let raw = try unsafe entry.name.withUnsafeBufferPointer { name in
                SystemCall.run {
                    unsafe Glibc.openat(
                        rawDescriptor, UnsafeRawPointer(name.baseAddress!).assumingMemoryBound(to: CChar.self),
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                }
            }.orThrow("could not open directory", shown)
            let inner = ConfinedDirectory(path: shown, taking: FileDescriptor(owning: raw))
            try inner.removeContents()
        }
        let flags = entry.kind == .directory ? AT_REMOVEDIR : 0
        _ = try unsafe entry.name.withUnsafeBufferPointer { name in
            SystemCall.run {
                unsafe unlinkat(
                    rawDescriptor, UnsafeRawPointer(name.baseAddress!).assumingMemoryBound(to: CChar.self), flags)
            }
        }.orThrow("could not remove", shown)
    }

    /// A name as the file system has it, with the NUL behind it.
    private struct RawEntry {
        var name: [UInt8]
        var kind: Entry.Kind
    }

    private func rawEntries() throws(FileIOError) -> [RawEntry] {
        // A descriptor of its own: reading moves the offset, and closedir closes it.
        let copy = try SystemCall.run { unsafe openat(rawDescriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
            .orThrow("could not open directory", path)
        guard let stream = unsafe fdopendir(copy) else {
            _ = Glibc.close(copy)
            throw FileIOError("could not open directory", path)
        }
        defer { unsafe closedir(stream) }
        var entries: [RawEntry] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw FileIOError("could not read directory", path) }
                return entries
            }
            // readdir's entry is valid until the next call, and its name ends with a NUL.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe Array(bytes.prefix { $0 != 0 }) + [0]
            }
            if name == [0x2E, 0] || name == [0x2E, 0x2E, 0] { continue }
            entries.append(RawEntry(name: name, kind: unsafe kind(of: entry.pointee.d_type, name)))
        }
    }

    private func kind(of type: UInt8, _ name: [UInt8]) -> Entry.Kind {
        switch Int(type) {
        case Int(DT_REG): return .file
        case Int(DT_DIR): return .directory
        case Int(DT_LNK): return .symbolicLink
        case Int(DT_UNKNOWN):
            // Some file systems leave the type to stat.
            var info = stat()
            let status = unsafe name.withUnsafeBufferPointer { buffer in
                unsafe fstatat(
                    rawDescriptor, UnsafeRawPointer(buffer.baseAddress!).assumingMemoryBound(to: CChar.self), &info,
                    AT_SYMLINK_NOFOLLOW)
            }
            guard status == 0 else { return .other }
            switch info.st_mode & S_IFMT {
            case S_IFREG: return .file
            case S_IFDIR: return .directory
            case S_IFLNK: return .symbolicLink
            default: return .other
            }
        default: return .other
        }
    }
}
