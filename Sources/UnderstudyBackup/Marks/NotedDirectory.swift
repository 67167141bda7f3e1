import CUnderstudyLinux
import Glibc
package import UnderstudyPlatform

/// A directory, and where it was.
package struct NotedDirectory: Sendable, Equatable {
    package var path: String
    package var identity: FileIdentity

    package init(path: String, identity: FileIdentity) {
        self.path = path
        self.identity = identity
    }
}

extension ConfinedDirectory {
    /// Removes this directory and those above it that were made with it, as far as they are empty and still the same.
    ///
    /// Each is reached from the one below, so no link can lead elsewhere.
    ///
    /// - Parameters:
    ///   - made: Outermost first; the last one is this directory.
    ///   - mayRemove: Whether directories of this user are removed.
    func removeWithParents(_ made: [NotedDirectory], isSameBoot: Bool, mayRemove: (UInt32) -> Bool) {
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
                // No descriptor may be had any more.
                return Self.removeEmpty(made[...index], isSameBoot: isSameBoot, mayRemove: mayRemove)
            }
            parents.append(Parent(FileDescriptor(owning: raw)))
            guard unsafe fstatat(raw, name.cString, &named, AT_SYMLINK_NOFOLLOW) == 0,
                FileIdentity(named) == FileIdentity(info), unsafe unlinkat(raw, name.cString, AT_REMOVEDIR) == 0
            else { return }
            current = raw
        }
    }

    /// As ``removeWithParents(_:isSameBoot:mayRemove:)``, by their paths, which needs no descriptor: rmdir(2) removes what is
    /// empty, and nothing else.
    private static func removeEmpty(
        _ made: ArraySlice<NotedDirectory>, isSameBoot: Bool, mayRemove: (UInt32) -> Bool
    ) {
        for noted in made.reversed() {
            var info = stat()
            // lstat fills the struct.
            guard unsafe lstat(noted.path, &info) == 0, mayRemove(info.st_uid),
                FileIdentity(info).matches(noted.identity, isSameBoot: isSameBoot), unsafe rmdir(noted.path) == 0
            else { return }
        }
    }

    /// Keeps a directory above open.
    final class Parent {
        private let descriptor: FileDescriptor

        init(_ descriptor: consuming FileDescriptor) {
            self.descriptor = descriptor
        }
    }
}
