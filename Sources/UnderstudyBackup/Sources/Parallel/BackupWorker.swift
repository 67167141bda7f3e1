import Logging
import UnderstudyBackupFormat
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// What the connections that copy have in common.
struct BackupWork: Sendable {
    let queue: BackupQueue
    let connections: ParallelConnections
    let archives: [AnnouncedArchive]
    let sql: BackupSQL
    let pages: PageCheck?
    let pacer: RatePacer?
    let meter: ProgressMeter
    let logger: Logger
    let interrupt: Interrupt
}

/// One of the connections that copy: takes units from the queue until there is none.
struct BackupWorker<Feeder: MemberFeeder>: ~Copyable {
    private let work: BackupWork
    private var session: Session
    private var feeder: Feeder
    /// The archive that the feeder was told.
    private var archive: Int?
    /// Queries that were broken off since one was complete, or has brought something.
    private var losses = 0

    /// - Parameter session: Of this thread now.
    init(_ work: BackupWork, _ session: Session, feeder: consuming Feeder) {
        self.work = work
        self.session = session
        self.feeder = feeder
    }

    /// How long to wait before the next connection, in turn: as long as a server may need that is short of connections, and
    /// no longer than a backup can be held up for a piece.
    private static var pauses: [Duration] {
        [.zero, .milliseconds(200), .seconds(1), .seconds(3), .seconds(5), .seconds(10)]
    }

    mutating func run() throws(UnderstudyError) {
        while let unit = try work.queue.next() { try copy(unit) }
        try feeder.drain()
    }

    private mutating func copy(_ unit: BackupUnit) throws(UnderstudyError) {
        try feeder.beginTurn(unit.turn)
        if archive != unit.archive {
            try feeder.beginArchive(work.archives[unit.archive])
            archive = unit.archive
        }
        for directory in unit.directories {
            try feeder.begin(directory)
            try feeder.end()
        }
        var transfer = UnitTransfer<Feeder>(unit, meter: work.meter, pages: work.pages)
        while !transfer.isComplete {
            let before = transfer.bytesDone
            do throws(UnderstudyError) {
                try transfer.run(session, work.sql, into: &feeder, pacer: work.pacer)
                losses = 0
            } catch  where error.costsPiece {
                if transfer.bytesDone > before { losses = 0 }
                try connectAgain(after: error)
            }
        }
        try feeder.endTurn()
    }

    private mutating func connectAgain(after error: UnderstudyError) throws(UnderstudyError) {
        var last = error
        while losses < Self.pauses.count {
            let pause = Self.pauses[losses]
            losses += 1
            work.logger.warning(
                "the copy of a piece was broken off, and goes on over another connection: \(last.message)")
            if Interrupt.wait(socket: -1, events: 0, interrupts: [work.interrupt], timeout: pause) != .timedOut {
                break
            }
            do throws(UnderstudyError) {
                session = try work.connections.openToCopy()
                return
            } catch  where error.costsPiece || error.isShortageOfConnections { last = error }
        }
        throw last
    }
}

extension UnderstudyError {
    /// Whether what was asked for can be had by asking again: the connection is lost, or the server has ended the query, as
    /// a standby does whose replay it holds up (40001), and an administrator (57014).
    ///
    /// Source: PostgreSQL manual, "PostgreSQL Error Codes", "Handling Query Conflicts".
    var costsPiece: Bool { code == .connection || ["40001", "40P01", "57014"].contains(sqlState) }
}
