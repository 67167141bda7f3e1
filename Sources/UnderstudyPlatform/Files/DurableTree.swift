import CUnderstudyLinux
import Glibc

/// Puts everything written under a directory on stable storage before success is reported.
///
/// On file systems whose syncfs(2) is known to write everything and to report every failed write-back (Linux 5.8 on),
/// one call at the end is enough: the descriptor is opened before the first byte is written, so no later failure is
/// missed. Everywhere else each file is synced before it is closed, and the directories at the end.
package struct DurableTree: Sendable {
    package let root: ConfinedDirectory
    /// Whether each file must be synced before it is closed.
    package let syncsEachFile: Bool

    /// - Parameter syncsEachFile: nil to decide by the file system.
    package init(root: ConfinedDirectory, syncsEachFile: Bool? = nil) {
        self.root = root
        self.syncsEachFile = syncsEachFile ?? !Self.hasReliableSyncfs(root)
    }

    /// Puts everything under the root on stable storage.
    ///
    /// - Parameter interrupt: Ends the sync between two directories. A partial sync guarantees nothing.
    package func sync(interrupt: Interrupt? = nil) throws(FileIOError) {
        if syncsEachFile {
            try Self.syncDirectories(root, interrupt)
        } else {
            _ = try SystemCall.run { understudy_syncfs(root.rawDescriptor) }
                .orThrow("could not synchronize file system of", root.path)
        }
    }

    private static func syncDirectories(
        _ directory: ConfinedDirectory, _ interrupt: Interrupt?
    ) throws(FileIOError) {
        try directory.forEachEntry { entry throws(FileIOError) in
            if entry.kind == .directory { try syncDirectories(directory.openDirectory(entry.name), interrupt) }
            return true
        }
        if let interrupt, interrupt.isRaised { throw .interrupted(directory.path) }
        try directory.sync()
    }

    /// ext2 to ext4, XFS, Btrfs and F2FS. Overlay, FUSE and network file systems may not forward every sync.
    private static let trusted: Set<Int64> = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010]

    private static func hasReliableSyncfs(_ directory: ConfinedDirectory) -> Bool {
        trusted.contains(understudy_file_system_type(directory.rawDescriptor)) && kernelReportsSyncfsErrors
    }

    private static let kernelReportsSyncfsErrors: Bool = {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return false }
        // release is a NUL-terminated array in the struct that uname filled.
        let release = unsafe withUnsafeBytes(of: &name.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        let numbers = release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { return false }
        return (numbers[0], numbers[1]) >= (5, 8)
    }()
}
