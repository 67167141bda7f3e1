package import Logging
package import UnderstudyConfiguration
package import UnderstudyConnection
package import UnderstudyCore
package import UnderstudyPlatform
package import UnderstudyProtocol

/// Where the data of a base backup comes from.
///
/// Used on the run's thread: `start`, `copy` and `end`, once each, in this order.
package protocol BackupSource: AnyObject {
    /// Whether all members come through one feeder, in the order of BASE_BACKUP: backup_label first, global/pg_control
    /// last of the data directory.
    var keepsServerOrder: Bool { get }

    /// Whether the source feeds in turns where a sink takes those.
    var takesTurns: Bool { get }

    /// Whether the source sends a manifest if one is asked for. If not, it is made here.
    var sendsManifest: Bool { get }

    /// How many connections the data comes over at most. Known once the source has started.
    var connections: BaseBackup.Connections { get }

    /// Begins the backup on the server.
    func start() throws(UnderstudyError) -> BackupStart

    /// Feeds all members into the sink, and the manifest, if the source has one, into the verification.
    ///
    /// A directory comes before what lies in it. When this returns, everything is written.
    func copy(into sink: some BackupSink, verification: ArrivalVerification) throws(UnderstudyError)

    /// Ends the backup on the server.
    func end() throws(UnderstudyError) -> BackupEnd
}

extension BackupSource {
    package var takesTurns: Bool { false }
    package var sendsManifest: Bool { true }
    package var connections: BaseBackup.Connections { .one }
}

/// The server's answer to the beginning of a backup.
package struct BackupStart {
    /// The position from which the backup needs WAL.
    package var position: BackupPosition
    /// The data directory and the tablespaces.
    package var archives: [AnnouncedArchive]
    /// All that will come, where the source knows it by now.
    var listing: FileTable?

    package init(position: BackupPosition, archives: [AnnouncedArchive]) {
        self.position = position
        self.archives = archives
    }
}

/// The server's answer to the end of a backup.
package struct BackupEnd {
    /// The position up to which the backup needs WAL.
    package var position: BackupPosition
    /// `backup_label` and `tablespace_map`, if the server returned them instead of sending them as members.
    package var files: [StandbyConfiguration.FileEdit]
    /// Damaged pages that the server found. The backup is complete nevertheless.
    package var damage: UnderstudyError?

    package init(
        position: BackupPosition, files: [StandbyConfiguration.FileEdit] = [], damage: UnderstudyError? = nil
    ) {
        self.position = position
        self.files = files
        self.damage = damage
    }
}

/// The run that a source serves.
package struct SourceContext {
    /// The connection that takes the backup.
    package var session: Session
    package var server: ServerFacts
    package var options: BaseBackup.Options
    /// See ``BackupTarget/wantsTablespaceMap``.
    package var wantsTablespaceMap: Bool
    /// See ``BackupTarget/placeOnServer``.
    package var placeOnServer: BackupPlace?
    /// On which an incremental backup builds.
    package var priorManifest: PriorManifest?
    /// Pinned to the server of the session, for further connections.
    package var parameters: ConnectionParameters
    package var interrupt: Interrupt
    package var meter: ProgressMeter
    package var logger: Logger

    /// The source for these options.
    package static func chooseSource(_ context: SourceContext) -> any BackupSource {
        let options = context.options
        if options.mayFallBack { return AutomaticSource(context) }
        return options.connections.isParallel ? ParallelSource(context) : BaseBackupSource(context)
    }
}
