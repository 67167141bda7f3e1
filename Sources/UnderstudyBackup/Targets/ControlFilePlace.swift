package import UnderstudyPlatform

/// The control file of a copy. Without it no server starts, so it comes to its place last: when all else is on stable storage,
/// the recovery settings among it.
package enum ControlFilePlace {
    package static let name: RelativePath = "global/pg_control"
    /// Where it is before. Every server leaves names with this prefix out of a base backup.
    static let untilComplete: RelativePath = "global/pgsql_tmp.understudy.new_pg_control"

    /// Where it is now in a copy that is being made.
    package static func inCopy(_ directory: ConfinedDirectory) -> RelativePath {
        directory.exists(untilComplete) ? untilComplete : name
    }

    /// Puts it into its place.
    static func complete(_ directory: ConfinedDirectory, syncs: Bool) throws(FileIOError) {
        guard try directory.kindIfThere(untilComplete) != nil else { return }
        try directory.rename(untilComplete, to: name)
        if syncs { try directory.openDirectory("global").sync() }
    }
}
