import Glibc

extension ConfinedDirectory {
    /// Puts a file in the place of another one, or where there is none. Who reads meanwhile finds the old one or the new
    /// one, whole; when it returns, the new one is on stable storage under its name. Mode and owner are those of the old
    /// one.
    ///
    /// - Parameters:
    ///   - temporary: The name that the new one has first; what has it is removed.
    ///   - mode: The permission bits of a file that is new.
    /// - Throws: Also if what has the name is no regular file, such as a symbolic link: EEXIST. The old file is then as it
    ///   was.
    package func replaceDurably(
        _ name: RelativePath, by bytes: [UInt8], temporary: RelativePath, mode: UInt16
    ) throws(FileIOError) {
        let old = try statusOfFile(name)
        if exists(temporary) { try remove(temporary) }
        let file = try createFile(temporary, mode: old.map { UInt16(truncatingIfNeeded: $0.st_mode & 0o7777) } ?? mode)
        let path = fullPath(temporary)
        do throws(FileIOError) {
            if let old {
                let new = try file.status(path: path)
                if new.st_uid != old.st_uid || new.st_gid != old.st_gid {
                    try file.setOwner(FileOwner(user: old.st_uid, group: old.st_gid), path: path)
                    // The call takes bits beyond the permissions away.
                    try file.setMode(UInt16(truncatingIfNeeded: old.st_mode & 0o7777), path: path)
                }
            }
            try unsafe file.write(bytes.span.bytes, at: 0, path: path)
            try file.sync(path: path)
            try rename(temporary, to: name)
        } catch {
            try? remove(temporary)
            throw error
        }
        try sync()
    }

    /// Removes a file; it stays away after a crash.
    package func removeDurably(_ name: RelativePath) throws(FileIOError) {
        try remove(name)
        try sync()
    }

    /// nil if there is no such name.
    private func statusOfFile(_ name: RelativePath) throws(FileIOError) -> stat? {
        let info: stat
        do throws(FileIOError) { info = try status(of: name) } catch  where error.number == ENOENT { return nil }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw FileIOError("will not replace what is no regular file,", fullPath(name), number: EEXIST)
        }
        return info
    }
}
