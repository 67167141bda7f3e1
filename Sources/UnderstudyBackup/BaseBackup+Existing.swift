extension BaseBackup {
    /// What the directory that a backup goes into may hold.
    @nonexhaustive
    public enum ExistingContents: String, Sendable, CaseIterable, Codable {
        /// Nothing: a directory that is not empty is refused.
        case refused
        /// A data directory of the same system, which is made equal to the source: only the blocks that differ are sent,
        /// and what the source has not is removed. A failed run leaves a directory that is no data directory, and that a
        /// further run completes.
        case updated
        /// What a run left that was interrupted and kept what it had; it is made equal to the source in the same way.
        case resumed
    }
}

extension BaseBackup.Options {
    /// Whether one connection does where several cannot be used: BASE_BACKUP knows nothing of what is there.
    var mayFallBack: Bool { connections.isAutomatic && existing == .refused }
}
