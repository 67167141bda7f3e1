import CUnderstudyLinux
import Glibc

/// Reading files that may stand somewhere else, with a symbolic link in their place: archives move old files to other
/// disks, or hold those that they have in common once.
extension ConfinedDirectory {
    /// Opens a regular file for reading, or the one that a symbolic link of this name leads to, wherever that is. Does not
    /// block, even for a pipe.
    ///
    /// - Throws: If it is anything else, or cannot be opened. The error names where a link leads.
    package func openLinked(_ name: RelativePath) throws(FileIOError) -> FileDescriptor {
        let place = try Place(name, in: self)
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        let result = SystemCall.run { unsafe understudy_openat(place.directory, place.name.cString, flags, 0) }
        if case .failure(let errno) = result { throw failure("could not open file", name, errno.number) }
        let file = FileDescriptor(owning: try result.orThrow("could not open file", fullPath(name)))
        var info = stat()
        // fstat fills the struct.
        _ = try SystemCall.run { unsafe fstat(file.rawValue, &info) }.orThrow("could not stat file", fullPath(name))
        if let number = info.reasonNotToRead { throw failure("could not read file", name, number) }
        return file
    }

    /// Reads bytes of such a file, starting at an offset.
    package func readLinked(
        _ name: RelativePath, from offset: Int64 = 0, atMost limit: Int
    ) throws(FileIOError) -> [UInt8] {
        try openLinked(name).read(from: offset, atMost: limit, path: fullPath(name))
    }

    /// Whether there is such a file.
    ///
    /// - Throws: If there is something else of that name, or a link that leads nowhere.
    package func hasLinkedFile(_ name: RelativePath) throws(FileIOError) -> Bool {
        var info: stat
        do throws(FileIOError) { info = try status(of: name) } catch  where error.number == ENOENT { return false }
        if info.st_mode & S_IFMT == S_IFLNK {
            let place = try Place(name, in: self)
            // fstatat fills the struct.
            let result = SystemCall.run { unsafe fstatat(place.directory, place.name.cString, &info, 0) }
            if case .failure(let errno) = result { throw failure("could not open file", name, errno.number) }
        }
        if let number = info.reasonNotToRead { throw failure("could not read file", name, number) }
        return true
    }

    private func failure(_ attempt: String, _ name: RelativePath, _ number: CInt) -> FileIOError {
        guard let target = linkTarget(name) else { return FileIOError(attempt, fullPath(name), number: number) }
        return FileIOError("\(attempt) \"\(fullPath(name))\", which is a symbolic link to", target, number: number)
    }

    /// Where a symbolic link leads, as it has it; nil if the name is none.
    package func linkTarget(_ name: RelativePath) -> String? {
        guard let place = try? Place(name, in: self) else { return nil }
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            // The call writes at most the size of the buffer, without a NUL.
            let count = unsafe readlinkat(place.directory, place.name.cString, buffer.baseAddress!, buffer.count)
            guard count > 0 else { return nil }
            return unsafe String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}

extension ConfinedDirectory.Entry.Kind {
    /// Whether ``ConfinedDirectory/openLinked(_:)`` may open it.
    package var mayBeFile: Bool { self == .file || self == .symbolicLink }
}

extension stat {
    /// nil for a regular file.
    fileprivate var reasonNotToRead: CInt? {
        switch st_mode & S_IFMT {
        case S_IFREG: nil
        case S_IFDIR: EISDIR
        default: EINVAL
        }
    }
}
