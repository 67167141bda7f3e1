import UnderstudyBackupFormat
package import UnderstudyConfiguration
package import UnderstudyCore
package import UnderstudyPlatform
import UnderstudyProtocol
package import UnderstudyStreaming
package import UnderstudyWAL

/// A backup that the server puts somewhere itself: nothing of it comes here.
package final class ServerTarget: BackupTarget {
    private let place: BackupPlace
    private let options: BaseBackup.Options

    package init(_ place: BackupPlace, options: BaseBackup.Options) {
        self.place = place
        self.options = options
    }

    package var name: String { "target \"\(place.name)\" of the server" }
    package var isMade: Bool { false }
    package var takesEditsFirst: Bool { true }
    package var keepsSyncedWAL: Bool { false }
    package var wantsTablespaceMap: Bool { true }
    package var placeOnServer: BackupPlace? { place }
    package var directory: ConfinedDirectory? { nil }
    package var failure: UnderstudyError? { nil }
    package var recordPlace: String? { nil }

    package func check() throws(UnderstudyError) -> LeftoverBackup? {
        try BackupOptionRules.checkServerTarget(options)
        return nil
    }

    package func prepare(_ plan: BackupPlan) {}

    package func makeSink(_ observer: MemberObserver) -> EmptySink { EmptySink() }

    package func makeWALDestination() throws(UnderstudyError) -> any WALDestination { throw notHere }

    package func makeManifestOutput() throws(UnderstudyError) -> any ManifestOutput { throw notHere }

    package func finishMembers() {}

    package func history(of timeline: TimelineID) -> [UInt8]? { nil }

    package func add(_ edit: StandbyConfiguration.FileEdit) throws(UnderstudyError) -> Bool { throw notHere }

    package func makeDurable(hasManifest: Bool) {}

    package func undo(keepingRecord: Bool) -> [FileIOError] { [] }

    private var notHere: UnderstudyError {
        UnderstudyError(.protocolViolation, "\(name): server sent what should not come here")
    }
}

/// Where a server puts a backup by itself: TARGET and TARGET_DETAIL.
package struct BackupPlace: Sendable {
    package var name: String
    package var detail: String?

    package init(name: String, detail: String?) {
        self.name = name
        self.detail = detail
    }
}

/// Takes nothing.
package struct EmptySink: BackupSink {
    package var needsServerOrder: Bool { false }

    package func makeFeeder() -> some MemberFeeder { EmptyFeeder() }

    package func close() {}
}

private struct EmptyFeeder: MemberFeeder {
    typealias Failure = UnderstudyError

    mutating func beginArchive(_ archive: AnnouncedArchive) {}
    mutating func drain() {}

    mutating func begin(_ entry: TarEntry) throws(UnderstudyError) {
        throw UnderstudyError(.protocolViolation, "server sent \"\(entry.path)\", which should not come here")
    }

    mutating func content(_ bytes: RawSpan) {}
    mutating func end() {}
}
