import Glibc
package import UnderstudyPlatform

/// The owners of an untrusted mark and of its directory. For advice only: they may have changed since the mark was
/// read.
package struct MarkPlace: Sendable, Equatable {
    /// nil if unknown.
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
        /// No other user can have put anything there.
        case ours
        /// Other users can write there.
        case shared
        case others(UInt32)
        case unknown
    }

    /// Which users control the directory.
    package func hands(_ trust: TrustedUsers) -> Hands {
        guard let directory else { return .unknown }
        let user = directory.owner.user
        if directory.mode & 0o022 != 0 { return .shared }
        return user == trust.user || user == trust.owner ? .ours : .others(user)
    }
}
