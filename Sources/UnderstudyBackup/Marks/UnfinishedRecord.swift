import Glibc
package import UnderstudyPlatform

/// The contents of the mark in an unfinished directory: the run that fills it, and how to restore the previous state.
package struct UnfinishedRecord: Sendable, Equatable {
    /// A permanent replication slot that the run created.
    package struct Slot: Sendable, Equatable {
        package var name: String
        /// The server that has the slot.
        package var systemIdentifier: String
        /// Its restart_lsn when the run began; nil if that could not be read.
        package var position: UInt64?

        package init(name: String, systemIdentifier: String, position: UInt64? = nil) {
            self.name = name
            self.systemIdentifier = systemIdentifier
            self.position = position
        }
    }

    /// The cluster that the run copies.
    package struct Cluster: Sendable, Equatable {
        package var systemIdentifier: String
        /// As PG_VERSION has it: `15`, `9.6`.
        package var major: String

        package init(systemIdentifier: String, major: String) {
            self.systemIdentifier = systemIdentifier
            self.major = major
        }
    }

    /// What a directory was that the run did not find empty, and makes equal to its source.
    package enum Held: String, Sendable, CaseIterable {
        case data, wal, tablespace
    }

    /// How far the run has come with the directory.
    package enum Stage: String, Sendable, CaseIterable {
        /// Nothing has been put into it yet.
        case made
        /// Its contents are the run's.
        case filling
        /// All directories of the run are complete, and on stable storage if requested; only the marks remain to be
        /// removed. Valid only in the data directory.
        case complete
        /// Everything that the run put into it has been removed.
        case emptied
    }

    /// Identifies the run: the same in all of its directories, and unique to it.
    package var run: String
    /// The process ID.
    package var process: Int?
    /// When the run began: `2026-11-24 08:15:00 UTC`.
    package var begun: String?
    /// The boot of the machine in which the run began: see ``FileIdentity/boot``.
    package var boot: String?
    /// The marked directory.
    package var directory: FileIdentity?
    /// The directories that the run made, outermost first and the marked one last; empty if that one existed.
    package var made: [RecordedDirectory] = []
    /// Mode and owner of the directory if it existed.
    package var before: ModeAndOwner?
    /// The data directory of the run, in the marks of its other directories.
    package var data: RecordedDirectory?
    /// Further directories that the run fills or was about to fill.
    package var others: [String] = []
    /// The slot that the run created.
    package var slot: Slot?
    /// In the data directory.
    package var cluster: Cluster?
    /// nil if all that lies in it is the run's.
    package var held: Held?
    /// When the run ended that was to keep what had come; nil if it has not, or was killed.
    package var kept: String?
    package var stage = Stage.made

    package init(run: String, process: Int? = nil, begun: String? = nil, boot: String? = nil) {
        self.run = run
        self.process = process
        self.begun = begun
        self.boot = boot
    }

    /// The record of a run that begins now, in this process.
    package static func ofNewRun() -> UnfinishedRecord {
        var random = SystemRandomNumberGenerator()
        let run = String(random.next(), radix: 16) + String(random.next(), radix: 16)
        return UnfinishedRecord(
            run: run, process: Int(getpid()), begun: UTCTime.now.text, boot: FileIdentity.boot)
    }

    /// The record of a run that begins now and goes on with the directories of an interrupted one, if there is one: their
    /// marks are of one run.
    static func ofRun(goingOnFrom left: UnfinishedRecord?, _ cluster: Cluster?) -> UnfinishedRecord {
        var record = ofNewRun()
        if let left, !left.run.isEmpty { record.run = left.run }
        record.cluster = cluster
        return record
    }

    /// Whether the recorded device numbers are still valid: the machine has not restarted since.
    var isOfThisBoot: Bool { boot == FileIdentity.boot }
}
