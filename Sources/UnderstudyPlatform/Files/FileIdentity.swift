import CUnderstudyLinux
package import Glibc

/// Identifies a file or directory independently of its path.
package struct FileIdentity: Hashable, Sendable {
    /// The device number. The kernel may assign another number after a reboot.
    package var device: UInt64
    package var inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    package init(_ info: stat) {
        self.init(device: UInt64(info.st_dev), inode: UInt64(info.st_ino))
    }

    /// Whether this is the same file as one recorded earlier.
    ///
    /// - Parameter isSameBoot: Whether the machine has not rebooted since. Otherwise device numbers cannot be compared.
    package func matches(_ noted: FileIdentity, isSameBoot: Bool) -> Bool {
        inode == noted.inode && (device == noted.device || !isSameBoot)
    }

    /// The kernel's boot ID, different after each reboot; nil if unavailable.
    package static let boot: String? = {
        let text = try? ConfinedDirectory(path: "/proc/sys/kernel/random").read("boot_id", atMost: 64)
        guard let text else { return nil }
        let boot = String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return boot.isEmpty ? nil : boot
    }()
}

extension FileDescriptor {
    package func identity(path: @autoclosure () -> String) throws(FileIOError) -> FileIdentity {
        FileIdentity(try status(path: path()))
    }
}

extension ConfinedDirectory {
    package func identity() throws(FileIOError) -> FileIdentity { FileIdentity(try ownStatus()) }

    /// The identity of the entry with this name; nil if there is none.
    package func identity(of relative: RelativePath) throws(FileIOError) -> FileIdentity? {
        do throws(FileIOError) { return FileIdentity(try status(of: relative)) } catch  where error.number == ENOENT {
            return nil
        }
    }

    package enum Standing: Sendable {
        case intact, taken, cut
    }

    /// Whether a name still refers to a file, and the file still has at least this many bytes. Called after each sync.
    package func standing(
        of relative: RelativePath, _ identity: FileIdentity, bytes: Int64
    ) throws(FileIOError) -> Standing {
        let place = try Place(relative, in: self)
        var found = understudy_file_place()
        // The call fills the struct.
        let result = SystemCall.run { unsafe understudy_locate_file(place.directory, place.name.cString, &found) }
        if case .failure(let errno) = result, errno.number == ENOENT { return .taken }
        _ = try result.orThrow("could not stat file", fullPath(relative))
        guard FileIdentity(device: found.device, inode: found.inode) == identity else { return .taken }
        return found.size >= bytes ? .intact : .cut
    }

    /// Whether the path that it was opened with still leads to this directory.
    package func isAtItsPath() throws(FileIOError) -> Bool {
        var found = stat(), own = stat()
        // stat and fstat fill the structs.
        let result = SystemCall.run { unsafe stat(path, &found) }
        if case .failure(let errno) = result, errno.number == ENOENT || errno.number == ENOTDIR { return false }
        _ = try result.orThrow("could not stat directory", path)
        _ = try SystemCall.run { unsafe fstat(rawDescriptor, &own) }.orThrow("could not stat directory", path)
        return FileIdentity(found) == FileIdentity(own)
    }
}
