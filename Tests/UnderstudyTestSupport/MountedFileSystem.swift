import Foundation
import Glibc

/// A file system of its own, mounted for a test and gone with this object; it belongs to the user that servers run as.
/// Only root can have one, and not in every container.
package final class MountedFileSystem: Sendable {
    package enum Kind: Sendable, Hashable {
        /// tmpfs, full after so many bytes.
        case small(bytes: Int)
        /// tmpfs with room for so many files and directories.
        case fewInodes(Int)
        /// ramfs: knows neither O_DIRECT nor preallocation.
        case ram
        /// Nothing can be made in it.
        case readOnly
        /// What a container has: overlayfs over two directories of the disk.
        case overlay
        /// ext4, xfs or btrfs in a file of so many megabytes.
        case disk(String, megabytes: Int)
        /// An ext4 that believes to have so many megabytes, on a device that cannot hold them: writes fail late.
        case thinDisk(megabytes: Int, holds: Int)
    }

    package let path: String
    /// What lies beneath, and goes last.
    private let support: MountedFileSystem?
    private let isFrozen = Locked(false)

    /// Whether tests that need one can run: found out by trying.
    package static let isAllowed = can(.ram)

    /// Whether one of this kind can be had here.
    package static func can(_ kind: Kind) -> Bool {
        Account.isRoot && (try? MountedFileSystem(kind)) != nil
    }

    /// - Parameter place: The directory to mount it on; nil for a new one.
    package init(_ kind: Kind, on place: String? = nil) throws {
        path = try place ?? TestDirectory.make("mount")
        switch kind {
        case .small(let bytes):
            support = nil
            try mount("tmpfs", data: "size=\(bytes)")
        case .fewInodes(let count):
            support = nil
            try mount("tmpfs", data: "nr_inodes=\(count)")
        case .ram:
            support = nil
            try mount("ramfs")
        case .readOnly:
            support = nil
            try mount("tmpfs", flags: UInt(MS_RDONLY), data: "size=4096")
            return
        case .overlay:
            support = nil
            let places = try ["lower", "upper", "work"].map { try TestDirectory.make($0) }
            try mount("overlay", data: "lowerdir=\(places[0]),upperdir=\(places[1]),workdir=\(places[2])")
        case .disk(let type, let megabytes):
            support = nil
            try mountImage(TestDirectory.freshPath("image"), type, megabytes: megabytes)
        case .thinDisk(let megabytes, let room):
            let support = try MountedFileSystem(.small(bytes: room << 20))
            self.support = support
            try mountImage("\(support.path)/image", "ext4", megabytes: megabytes)
        }
        try Account.own(path)
    }

    deinit {
        if isFrozen.withLock({ $0 }) { try? thaw() }
        // SAFETY: the string is lent for the call.
        _ = unsafe umount2(path, CInt(MNT_DETACH))
    }

    private func mount(_ type: String, flags: UInt = 0, data: String = "") throws {
        // SAFETY: mount copies its strings.
        guard unsafe Glibc.mount(type, path, type, flags, data) == 0 else {
            throw SupportError("could not mount \(type) at \"\(path)\": errno \(errno)")
        }
    }

    /// Makes a file system in a sparse file, and mounts it.
    private func mountImage(_ image: String, _ type: String, megabytes: Int) throws {
        guard unsafe close(open(image, O_WRONLY | O_CREAT | O_EXCL, 0o600)) == 0,
            unsafe truncate(image, off_t(megabytes) << 20) == 0
        else { throw SupportError("could not make \"\(image)\": errno \(errno)") }
        let force = type == "ext4" ? ["-F", "-E", "nodiscard,root_owner=0:0", "-O", "^has_journal"] : ["-f", "-K"]
        try Program.check("/sbin/mkfs.\(type)", ["-q"] + force + [image], asCaller: true)
        try Program.check("/bin/mount", ["-t", type, "-o", "loop", image, path], asCaller: true)
        // ext4 has one for fsck.
        try? FileManager.default.removeItem(atPath: "\(path)/lost+found")
    }

    /// Breaks the file system, as a disk does that is pulled out: from now on every call fails with EIO. ext4 and XFS
    /// know how (EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN).
    package func breakDown() throws {
        // SAFETY: the string is lent for the call.
        let descriptor = unsafe open(path, O_RDONLY)
        defer { _ = close(descriptor) }
        // 2: without writing the log. The number is _IOR('X', 125, 32 bits).
        var flags: UInt32 = 2
        // SAFETY: the call reads four bytes.
        guard unsafe ioctl(descriptor, 0x8004_587D, &flags) == 0 else {
            throw SupportError("could not break down \"\(path)\": errno \(errno)")
        }
    }

    /// Runs `body` while the file system hangs: every call that changes something waits, as on a disk that does not answer.
    /// ext4, XFS and btrfs.
    package func whileFrozen(_ body: () throws -> Void) throws {
        // FIFREEZE: _IOWR('X', 119, int).
        try control(0xC004_5877, "freeze")
        isFrozen.withLock { $0 = true }
        defer { try? thaw() }
        try body()
    }

    private func thaw() throws {
        // FITHAW: _IOWR('X', 120, int).
        try control(0xC004_5878, "thaw")
        isFrozen.withLock { $0 = false }
    }

    private func control(_ request: UInt, _ what: String) throws {
        // SAFETY: the string is lent for the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        defer { _ = close(descriptor) }
        var unused: CInt = 0
        // SAFETY: the call reads nothing but the number.
        guard unsafe ioctl(descriptor, request, &unused) == 0 else {
            throw SupportError("could not \(what) \"\(path)\": errno \(errno)")
        }
    }

    /// Fills it with a file of somebody else's, up to the last byte.
    package func fillUp() throws {
        // SAFETY: the string is lent for the call.
        let descriptor = unsafe open("\(path)/somebody-elses", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        defer { _ = close(descriptor) }
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        var size = zeros.count
        while size > 0 {
            // SAFETY: write reads `size` bytes of the array.
            if unsafe write(descriptor, zeros, size) <= 0 { size /= 2 }
        }
        guard errno == ENOSPC else { throw SupportError("could not fill \"\(path)\": errno \(errno)") }
    }

    /// Makes room again. A child that another test has started may still have the file open, so it is emptied, too.
    package func freeUp() throws {
        let file = "\(path)/somebody-elses"
        // SAFETY: the strings are lent for the calls.
        guard unsafe truncate(file, 0) == 0, unsafe unlink(file) == 0 else {
            throw SupportError("could not free \"\(path)\": errno \(errno)")
        }
    }
}
