import UnderstudyConnection
public import UnderstudyCore
import UnderstudyPlatform

extension BaseBackup {
    /// How a directory differs from the server, by names and sizes: what a run with the same options would find.
    public struct Survey: Sendable, Equatable, Codable {
        /// Whether the directory is missing or empty: then all would be copied.
        public var isNew: Bool
        /// Whether an interrupted run has left it.
        public var isInterrupted: Bool
        /// All that the server would send to an empty directory.
        public var source: FileFigures
        /// Files of the same size on both sides. Blocks in them may differ.
        public var sameSize: FileFigures
        /// Files of another size here, with the server's bytes.
        public var otherSize: FileFigures
        public var missing: FileFigures
        /// What would be removed. A directory counts as one file, with the bytes of all that is in it.
        public var surplus: FileFigures
        /// As `server_version_num`: 150018.
        public var serverVersion: Int
        public var systemIdentifier: String
        /// Of the directory; nil if it is new, or does not tell. Another one than the server's is of another cluster, whose files
        /// are overwritten only if ``Options/overwritesOtherCluster`` is set.
        public var foundSystemIdentifier: String?
    }

    /// What would become of something that is in the directory. As in messages, backslashes, control characters and bytes
    /// that are no UTF-8 are escaped in it: `\\`, `\x0a`.
    @nonexhaustive
    public enum SurveyedPath: Sendable, Equatable {
        /// The server has none. Relative to the data directory; below `pg_tblspc/OID` for what lies in a tablespace.
        case removed(String)
        /// The server has none, and it is not a server's. As before, or an absolute path of what a link leads to that goes.
        case kept(String)
        /// The server's contents come in its place: it has another size, or is something of yours that the server has, too,
        /// such as settings.
        case replaced(String)
    }

    /// Compares a directory with the server, without changing anything on either side: no backup begins, and no file is
    /// read. Everything that a run would refuse is refused.
    ///
    /// The options have to say what the directory may hold: ``Options/existing``.
    ///
    /// - Parameter report: Called for each path, of which there may be as many as files; not on the caller's thread.
    public func survey(
        of directory: String, report: @escaping @Sendable (SurveyedPath) -> Void = { _ in }
    ) async throws(UnderstudyError) -> Survey {
        let interrupt = Interrupt(), hurry = Interrupt()
        return try await OwnThread.run("survey", interrupt: interrupt, also: hurry, failure: { UnderstudyError($0) }) {
            () throws(UnderstudyError) in
            let target = DirectoryTarget(path: directory, options: options, interrupt: interrupt, logger: logger)
            let run = BackupRun(
                options: options, target: target, parameters: try ConnectionParameters(reading: source),
                interrupt: interrupt, hurry: hurry, meter: ProgressMeter { _ in }, logger: logger)
            return try run.survey(target, report: report)
        }
    }
}
