import Glibc

/// A file system of its own, mounted for a test and gone with this object. Only root can have one, and not in every
/// container.
package final class MountedFileSystem: Sendable {
    package enum Kind: Sendable {
        /// Full after so many bytes.
        case small(bytes: Int)
        /// ramfs: knows neither O_DIRECT nor preallocation.
        case ram
        /// Nothing can be made in it.
        case readOnly
    }

    package let path: String

    /// Whether tests that need one can run: found out by trying.
    package static let isAllowed = Account.isRoot && (try? MountedFileSystem(.ram)) != nil

    package init(_ kind: Kind) throws {
        path = try TestDirectory.make("mount")
        let (type, flags, data): (String, UInt, String) =
            switch kind {
            case .small(let bytes): ("tmpfs", 0, "size=\(bytes)")
            case .ram: ("ramfs", 0, "")
            case .readOnly: ("tmpfs", UInt(MS_RDONLY), "size=4096")
            }
        // SAFETY: mount copies its strings.
        guard unsafe mount(type, path, type, flags, data) == 0 else {
            throw SupportError("could not mount \(type) at \"\(path)\": errno \(errno)")
        }
    }

    deinit {
        // SAFETY: the string is lent for the call.
        _ = unsafe umount2(path, CInt(MNT_DETACH))
    }
}
