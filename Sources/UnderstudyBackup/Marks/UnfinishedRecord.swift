import Glibc
package import UnderstudyPlatform

/// What the mark in an unfinished directory says: who began to fill it, and how to leave things as they were.
package struct UnfinishedRecord: Sendable, Equatable {
    /// A permanent replication slot that the run made.
    package struct Slot: Sendable, Equatable {
        package var name: String
        /// Of the server that has it.
        package var systemIdentifier: String
        /// Its restart_lsn when the run began; nil where the server could not be asked.
        package var position: UInt64?

        package init(name: String, systemIdentifier: String, position: UInt64? = nil) {
            self.name = name
            self.systemIdentifier = systemIdentifier
            self.position = position
        }
    }

    /// How far the run is with the directory.
    package enum Stage: String, Sendable, CaseIterable {
        /// Nothing has been put into it yet.
        case made
        /// What lies in it is the run's.
        case filling
        /// All directories of the run are complete, and on stable storage if that was wanted; only marks are left to be
        /// removed. Counts in the data directory alone.
        case complete
        /// All that the run put into it has been removed.
        case emptied
    }

    /// The same in all directories that one run fills, and in those of no other run.
    package var run: String
    /// The number of the process.
    package var process: Int?
    /// When it began: `2026-11-24 08:15:00 UTC`.
    package var begun: String?
    /// The start of the machine in which it began: see ``FileIdentity/boot``.
    package var boot: String?
    /// The marked directory.
    package var directory: FileIdentity?
    /// The directories that were made, outermost first and the marked one last; empty if that was there.
    package var made: [NotedDirectory] = []
    /// Mode and owner of the directory if it was there.
    package var before: ModeAndOwner?
    /// The data directory of the run, in the marks of its other directories.
    package var data: NotedDirectory?
    /// Further directories that the run fills or was about to.
    package var others: [String] = []
    /// The slot that the run made.
    package var slot: Slot?
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

    /// Whether the numbers of devices are those that were noted.
    var isOfThisBoot: Bool { boot == FileIdentity.boot }
}
