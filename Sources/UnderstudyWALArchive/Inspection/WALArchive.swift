public import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
public import UnderstudyWAL

/// An archive of WAL in a directory, to be looked at: what it holds, whether that is sound, and what can go.
///
/// Any archive with the names of pg_receivewal will do: ``WALDirectory``'s, that tool's, and one that an archive_command
/// fills by copying, compressed or not; files may be symbolic links. Nothing is locked, and an archiver may write into it meanwhile.
///
/// ```swift
/// let archive = WALArchive("/srv/wal")
/// let check = try await archive.check()
/// for finding in check.findings { print(finding.file, finding.message) }
/// ```
public struct WALArchive: Sendable {
    public let path: String

    /// - Parameter path: An existing directory.
    public init(_ path: String) {
        self.path = path
    }

    /// Takes stock of the archive by the names and sizes of its files. The newest files, incomplete ones and history files are
    /// read; no other is.
    ///
    /// - Parameter backups: Base backups of which to say how far they can be restored with this archive.
    /// - Returns: Also what could not be read: see ``ArchiveInventory/unreadable``.
    /// - Throws: If the directory cannot be read, if no segment shows what size segments have, or if a backup is of another
    ///   cluster. An archive without segments is no error.
    public func inventory(backups: [BackupWALRange] = []) async throws(UnderstudyError) -> ArchiveInventory {
        try await onThread { interrupt throws(UnderstudyError) in
            try ArchiveSnapshot(path, interrupt).inventory(backups: backups)
        }
    }

    /// Reads every file to its end, on all processors, and compares it with what its name says.
    ///
    /// Of each segment file it checks the size, the container of a compressed one, and each page's header (magic number,
    /// flags, address, timeline, and in the first one cluster and segment size). Of history files it checks that they can be
    /// read and agree with each other, and where a timeline begins, that its first segment holds what its parent's does up to
    /// there. What is between the headers of pages is compared with nothing. Files in `diverged` are not looked at. A symbolic
    /// link counts as what it leads to. What could not be read is a finding, and the others are checked.
    ///
    /// - Throws: As ``inventory(backups:)``, and if the archive has no segments.
    public func check() async throws(UnderstudyError) -> ArchiveCheck {
        try await onThread { interrupt throws(UnderstudyError) in
            let snapshot = try ArchiveSnapshot(path, interrupt)
            return try ArchiveChecker(snapshot, interrupt).check()
        }
    }

    /// Plans what can go. Nothing is removed.
    ///
    /// - Throws: As ``inventory(backups:)``, if a file that was looked at cannot be read, and if the rules contradict each other
    ///   or the archive.
    public func pruning(_ rules: ArchivePruning.Rules) async throws(UnderstudyError) -> ArchivePruning {
        try await onThread { interrupt throws(UnderstudyError) in
            try ArchiveSnapshot(path, interrupt).pruning(rules)
        }
    }

    /// Removes what a plan says, oldest first, so that whatever ends it leaves no hole. The removal is on stable storage
    /// afterwards.
    ///
    /// A file that changed since the plan was made stays, and one that is gone is no error.
    ///
    /// - Throws: If a file cannot be removed; those before it are gone.
    @discardableResult
    public func prune(_ plan: ArchivePruning) async throws(UnderstudyError) -> ArchivePruning.Outcome {
        try await onThread { interrupt throws(UnderstudyError) in
            try ArchivePruner(path, interrupt).remove(plan)
        }
    }

    /// What WAL the base backups in a directory need.
    ///
    /// - Parameter place: A base backup in plain or tar format, or a directory with base backups in it. The name of a backup
    ///   history file of this archive will do, too.
    /// - Returns: One for each backup, oldest first; at least one.
    /// - Throws: If there is none, or if one cannot be read.
    public func backups(at place: String) async throws(UnderstudyError) -> [BackupWALRange] {
        try await onThread { _ throws(UnderstudyError) in
            if BackupHistoryName.isFileName(place) {
                return [try ArchiveSnapshot.backup(historyFile: place, in: path)]
            }
            return try BackupReader(place).ranges()
        }
    }

    private func onThread<Value: Sendable>(
        _ body: @escaping @Sendable (Interrupt) throws(UnderstudyError) -> Value
    ) async throws(UnderstudyError) -> Value {
        let interrupt = Interrupt()
        return try await OwnThread.run("archive", interrupt: interrupt, failure: { UnderstudyError($0) }) {
            () throws(UnderstudyError) in
            try body(interrupt)
        }
    }
}

extension ArchivePruning {
    /// What became of a plan.
    public struct Outcome: Hashable, Sendable {
        /// The files that were removed.
        public internal(set) var removed = 0
        /// Their size in bytes, as they were stored; what links lead to is still there.
        public internal(set) var bytes: UInt64 = 0
        /// How many of them were symbolic links.
        public internal(set) var links = 0
        /// Files that stay though the plan has them, because they or the archive have changed.
        public internal(set) var changed: [String] = []
    }
}
