import CUnderstudyLinux
import Glibc
package import UnderstudyPlatform

/// The recorded path and identity of a directory.
package struct RecordedDirectory: Sendable, Equatable {
    package var path: String
    package var identity: FileIdentity

    package init(path: String, identity: FileIdentity) {
        self.path = path
        self.identity = identity
    }
}

extension ConfinedDirectory {
    /// Removes this directory and the parents that were made with it, as long as they are empty and still the same.
    ///
    /// Each parent is reached from its child's descriptor, so no link can lead elsewhere.
    ///
    /// - Parameters:
    ///   - made: Outermost first; the last one is this directory.
    ///   - mayRemove: Whether directories of a given user are removed.
    func removeWithParents(_ made: [RecordedDirectory], isSameBoot: Bool, mayRemove: (UInt32) -> Bool) {
        var current = rawDescriptor
        var parents: [Parent] = []
        for (index, noted) in made.enumerated().reversed() {
            var info = stat(), named = stat()
            let name = RelativePath(noted.path.lastPathComponent)
            // fstat and fstatat fill the structs.
            guard unsafe fstat(current, &info) == 0, mayRemove(info.st_uid),
                FileIdentity(info).matches(noted.identity, isSameBoot: isSameBoot)
            else { return }
            let raw = understudy_openat_parent(current)
            guard raw >= 0 else {
                // No more descriptors can be opened.
                return Self.removeEmpty(made[...index], isSameBoot: isSameBoot, mayRemove: mayRemove)
            }
            parents.append(Parent(FileDescriptor(owning: raw)))
            guard unsafe fstatat(raw, name.cString, &named, AT_SYMLINK_NOFOLLOW) == 0,
                FileIdentity(named) == FileIdentity(info), unsafe unlinkat(raw, name.cString, AT_REMOVEDIR) == 0
            else { return }
            current = raw
        }
    }

    /// Like ``removeWithParents(_:isSameBoot:mayRemove:)``, but by path, which needs no descriptor: rmdir(2) removes
    /// only empty directories.
    private static func removeEmpty(
        _ made: ArraySlice<RecordedDirectory>, isSameBoot: Bool, mayRemove: (UInt32) -> Bool
    ) {
        for noted in made.reversed() {
            var info = stat()
            // lstat fills the struct.
            guard unsafe lstat(noted.path, &info) == 0, mayRemove(info.st_uid),
                FileIdentity(info).matches(noted.identity, isSameBoot: isSameBoot), unsafe rmdir(noted.path) == 0
            else { return }
        }
    }

    /// Keeps a parent directory open.
    final class Parent {
        private let descriptor: FileDescriptor

        init(_ descriptor: consuming FileDescriptor) {
            self.descriptor = descriptor
        }
    }
}
