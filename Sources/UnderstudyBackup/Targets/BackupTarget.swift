package import UnderstudyBackupFormat
package import UnderstudyConfiguration
package import UnderstudyCore
package import UnderstudyPlatform
package import UnderstudyProtocol
package import UnderstudyStreaming
package import UnderstudyWAL

/// Where a base backup goes: a directory, an archive on standard output, an object store.
///
/// Used on the run's thread. First `check`; once the server has begun the backup `prepare`, and then the sink and the
/// destination of WAL. After the members `finishMembers`, and at the end `makeDurable`. `undo` may follow at any point.
package protocol BackupTarget: AnyObject, Sendable {
    associatedtype Sink: BackupSink

    /// Names the target in messages: `directory "/srv/standby"`.
    var name: String { get }

    /// Checks what needs no server. Makes nothing.
    ///
    /// - Returns: What an earlier run left here that ``prepare(_:)`` will remove, if anything.
    func check() throws(UnderstudyError) -> LeftoverBackup?

    /// Checks what lies there against the server, before that is asked for anything. Changes nothing.
    func check(against server: ServerFacts) throws(UnderstudyError)

    /// Makes everything that must exist before the first byte, and checks that there is room.
    func prepare(_ plan: BackupPlan) throws(UnderstudyError)

    /// Whether ``prepare(_:)`` has made something.
    var isMade: Bool { get }

    /// The sink for the members. The caller closes it.
    ///
    /// - Parameter observer: Sees every file on its way.
    func makeSink(_ observer: MemberObserver) throws(UnderstudyError) -> Sink

    /// The destination of WAL that is streamed meanwhile.
    func makeWALDestination() throws(UnderstudyError) -> any WALDestination

    /// The output of the manifest.
    func makeManifestOutput() throws(UnderstudyError) -> any ManifestOutput

    /// All members have come.
    func finishMembers() throws(UnderstudyError)

    /// The history file that came with the WAL; nil if none did.
    func history(of timeline: TimelineID) throws(UnderstudyError) -> [UInt8]?

    /// Whether WAL that the destination has synced survives the end of this process. If not, none is reported as flushed,
    /// and no slot advances while the copy is not complete.
    var keepsSyncedWAL: Bool { get }

    /// Whether the server has to list the places of tablespaces in a file `tablespace_map`, instead of sending links.
    var wantsTablespaceMap: Bool { get }

    /// Where the server puts the backup itself; nil if it sends it.
    var placeOnServer: BackupPlace? { get }

    /// Whether edits must be added before the members come, because they are made on the way.
    var takesEditsFirst: Bool { get }

    /// The data directory, if its files can be read before the backup ends.
    var directory: ConfinedDirectory? { get }

    /// Makes one change to a file of the data directory.
    ///
    /// - Returns: False if the change is for an existing file, and there is none.
    func add(_ edit: StandbyConfiguration.FileEdit) throws(UnderstudyError) -> Bool

    /// Puts everything on stable storage, and declares the backup complete.
    ///
    /// - Parameter hasManifest: Whether a manifest was written.
    func makeDurable(hasManifest: Bool) throws(UnderstudyError)

    /// The failure that raised the run's interrupt, if this target did.
    var failure: UnderstudyError? { get }

    /// Removes what was made, complete or not.
    ///
    /// - Parameter keepingRecord: Whether the record of the slot stays for the next run; a second call removes it.
    /// - Returns: What could not be removed.
    func undo(keepingRecord: Bool) -> [FileIOError]

    /// Whether a failed run leaves what it has made, for the next one to go on with: then ``keep()`` is called in place of
    /// ``undo(keepingRecord:)``.
    var keepsPartial: Bool { get }

    /// Leaves what was made, marked as what it is.
    ///
    /// - Returns: What to do about it; nil if all is as it was before, or complete.
    func keep() -> Remedy?

    /// Where the record of the slot is still kept; nil if it is not.
    var recordPlace: String? { get }
}

extension BackupTarget {
    package func check(against server: ServerFacts) {}
    package var keepsPartial: Bool { false }
    package func keep() -> Remedy? { nil }
}

/// What a target needs to know about the backup before the first byte.
package struct BackupPlan {
    package var server: ServerFacts
    package var archives: [AnnouncedArchive]
    /// A permanent slot that the run made, recorded in case it is killed.
    package var slot: UnfinishedRecord.Slot?
    /// What the source uses, by its choice where that was left to it.
    package var connections = BaseBackup.Connections.one
    /// See ``BackupStart/listing``.
    var listing: FileTable?
}

/// What takes the members of a base backup.
package protocol BackupSink: Sendable {
    associatedtype Feeder: MemberFeeder

    /// Whether all members must come through one feeder, in the server's order; or in turns, if the sink takes those.
    var needsServerOrder: Bool { get }

    /// Whether the members of several feeders may come in turns: see ``MemberFeeder/beginTurn(_:)``.
    var takesTurns: Bool { get }

    /// Whether pieces of a file may come in any order, through several feeders.
    var takesPieces: Bool { get }

    /// All that will come, told once and before the first member. What a target holds already and the source has not is
    /// removed then.
    ///
    /// - Parameters:
    ///   - table: Every file and directory, global/pg_control among them, but neither links to tablespaces, nor
    ///     backup_label, tablespace_map and backup_manifest.
    ///   - archives: Those that the table's indices mean.
    func removeSurplus(besides table: FileTable, of archives: [AnnouncedArchive]) throws(UnderstudyError)

    /// A way in. Each is used by one thread; several may be used at once.
    func makeFeeder() throws(UnderstudyError) -> Feeder

    /// Ends the sink once everything that it was given is written.
    func close()
}

/// Feeds members into a sink: those of one archive after another.
package protocol MemberFeeder: TarSink where Failure == UnderstudyError {
    /// Begins an archive, or continues it: the members that follow belong to it.
    mutating func beginArchive(_ archive: AnnouncedArchive) throws(UnderstudyError)

    /// Bytes of the current archive as they came, compressed; then come the members in them. For sinks that keep such
    /// archives.
    mutating func keep(_ compressed: RawSpan) throws(UnderstudyError)

    /// Begins a turn: what comes until its end stands in the sink behind what comes in the turns before, through whatever
    /// feeder. Several feeders may be in turns at once. Each number from 0 on is given once. Only for sinks that take turns.
    mutating func beginTurn(_ turn: BackupTurn) throws(UnderstudyError)

    /// Ends the turn.
    mutating func endTurn() throws(UnderstudyError)

    /// Begins a piece of a file, in place of ``TarSink/begin(_:)``: what comes until the end is the piece's content. Only
    /// for sinks that take pieces, or turns: there each piece has one, and the turns of a file's pieces follow on each other
    /// in the order of their offsets.
    mutating func begin(_ entry: TarEntry, _ piece: FilePiece) throws(UnderstudyError)

    /// Whether the target may hold files already: see ``openPresent(_:)``.
    var updates: Bool { get }

    /// Opens what the target holds in the place of a file of the current archive, so that only what differs need come; nil
    /// if that is nothing that can be updated.
    mutating func openPresent(_ entry: TarEntry) throws(UnderstudyError) -> PresentFile?

    /// The next bytes of the content, which the target's own file has in this place.
    mutating func present(_ bytes: RawSpan) throws(UnderstudyError)

    /// A file that was announced does not come: the source has none any more, and so the target has none.
    mutating func leaveOut(_ entry: TarEntry) throws(UnderstudyError)

    /// Waits until everything that this feeder was given is written.
    mutating func drain() throws(UnderstudyError)
}

/// A place in the order of a sink that takes turns.
package struct BackupTurn: Sendable {
    /// From 0.
    var number: Int
    /// Whether it is the last one of the backup. It is begun when all others have ended, and is of the data directory.
    var isLast = false
}

extension MemberFeeder {
    package func failure(_ error: BackupFormatError) -> UnderstudyError {
        UnderstudyError(error)
    }

    package mutating func keep(_ compressed: RawSpan) {}

    package mutating func beginTurn(_ turn: BackupTurn) {}
    package mutating func endTurn() {}

    package mutating func begin(_ entry: TarEntry, _ piece: FilePiece) {
        preconditionFailure("a piece of a file came to a sink that takes none")
    }

    package var updates: Bool { false }

    package mutating func openPresent(_ entry: TarEntry) -> PresentFile? { nil }

    package mutating func present(_ bytes: RawSpan) throws(UnderstudyError) { try content(bytes) }

    package mutating func leaveOut(_ entry: TarEntry) {}
}

extension BackupSink {
    package var takesPieces: Bool { false }
    package var takesTurns: Bool { false }

    package func removeSurplus(besides table: FileTable, of archives: [AnnouncedArchive]) {}
}

/// Where the manifest of a backup is written.
package protocol ManifestOutput: AnyObject {
    func write(_ bytes: RawSpan) throws(UnderstudyError)
    func close() throws(UnderstudyError)
}
