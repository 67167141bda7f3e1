import Glibc
package import UnderstudyPlatform

/// Whose a mark is that nobody may act on, and whose its directory. Good for advice alone: it may have changed since the mark
/// was looked at.
package struct MarkPlace: Sendable, Equatable {
    /// nil where it cannot be told.
    package var markUser: UInt32?
    package var directory: ModeAndOwner?

    package init(markUser: UInt32?, directory: ModeAndOwner?) {
        self.markUser = markUser
        self.directory = directory
    }

    package init(of path: String) {
        let directory = try? ConfinedDirectory(path: path)
        self.directory = try? directory?.modeAndOwner()
        markUser = try? directory?.status(of: UnfinishedMark.name).st_uid
    }

    package enum Hands: Sendable, Equatable {
        /// Nobody else can have put anything there.
        case ours
        /// Others can write there.
        case shared
        case others(UInt32)
        case unknown
    }

    /// In whose hands the directory is.
    package func hands(_ trust: MarkTrust) -> Hands {
        guard let directory else { return .unknown }
        let user = directory.owner.user
        if directory.mode & 0o022 != 0 { return .shared }
        return user == trust.user || user == trust.owner ? .ours : .others(user)
    }
}
