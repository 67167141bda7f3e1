import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// Compares the end of an archive with the server, before anything is received: a server restored from an older copy
/// has the same identifier and timeline, but other WAL.
struct ArchiveEnd {
    private let holdings: WALHoldings
    private let destination: any WALDestination
    private let session: Session
    private let server: ServerFacts
    private let logger: Logger

    init(
        _ holdings: WALHoldings, of destination: any WALDestination, _ session: Session, _ server: ServerFacts,
        logger: Logger
    ) {
        self.holdings = holdings
        self.destination = destination
        self.session = session
        self.server = server
        self.logger = logger
    }

    /// Checks that the server continues the archive.
    ///
    /// - Throws: If the server's WAL differs from the archive's, or if a primary has less of it. A standby that has
    ///   less may lag; then the stream shows any difference.
    func check() throws(UnderstudyError) {
        if let end = reached, end.timeline == server.identity.timeline, end.lsn > server.identity.position,
            try isPrimary()
        {
            throw parted(
                from: server.identity.position, end.timeline,
                "server is behind the archive: its WAL ends at \(server.identity.position), the archive's at \(end.lsn) (timeline \(end.timeline))"
            )
        }
        // Report the oldest difference.
        var difference: WALPosition?
        for piece in holdings.tail {
            switch try compare(piece) {
            case .equal: break
            case .different(let position): difference = WALPosition(timeline: piece.start.timeline, lsn: position)
            case .unknown(let reason):
                // Older WAL has been removed, too.
                logger.info(
                    "WAL of the archive from \(piece.start.lsn) up to \(piece.end) (timeline \(piece.start.timeline)) cannot be compared with the server's WAL: \(reason)",
                    metadata: .event(
                        .notCompared,
                        [
                            "startLSN": .position(piece.start.lsn), "endLSN": .position(piece.end),
                            "timeline": .number(piece.start.timeline),
                        ]))
                if let difference { throw differs(at: difference) }
                return
            }
        }
        if let difference { throw differs(at: difference) }
    }

    /// The furthest position that the server reached, as far as the archive shows it. Even an empty partial segment
    /// counts: the server was there when it was begun, and the files before it may have been moved elsewhere.
    private var reached: WALPosition? {
        guard let next = holdings.next else { return holdings.end }
        guard let end = holdings.end, end.lsn >= next.lsn else { return next }
        return end
    }

    private func differs(at position: WALPosition) -> UnderstudyError {
        parted(
            from: position.lsn, position.timeline,
            "server has other WAL than the archive at \(position.lsn) (timeline \(position.timeline))")
    }

    private enum Comparison {
        case equal
        case different(LSN)
        case unknown(String)
    }

    private func compare(_ piece: WALHoldings.Piece) throws(UnderstudyError) -> Comparison {
        let sample: WALSample
        do throws(ConnectionError) {
            sample = try session.sample(piece.start.lsn, on: piece.start.timeline, count: piece.bytes.count)
        } catch { throw UnderstudyError(error) }
        switch sample {
        case .refused(let error): return .unknown(error.message)
        case .bytes(let bytes):
            guard piece.bytes != bytes,
                let index = zip(piece.bytes, bytes).enumerated().first(where: { $1.0 != $1.1 })?.offset
            else {
                logger.debug("\(bytes.count) bytes at \(piece.start.lsn) are the same in archive and server")
                return .equal
            }
            return .different(LSN(rawValue: piece.start.lsn.rawValue + UInt64(index)))
        }
    }

    private func parted(from position: LSN, _ timeline: TimelineID, _ message: String) -> UnderstudyError {
        let first =
            WALSegmentName(containing: position, timeline: timeline, size: server.segmentSize)?.description
            ?? "this one"
        let place = (destination as? WALDirectory).map { "out of \"\($0.path)\"" } ?? "away from where they are"
        return UnderstudyError(
            .wal, message,
            detail:
                "An older copy of the server may have been put back, or the server has lost its last WAL: it goes on in another way than the archive. Nothing was received or acknowledged.",
            hint:
                "Begin an archive in another directory, with a new base backup. Or give up what only this archive has: move segment \(first) and all later ones \(place), and start again."
        )
    }

    /// Whether the server is a primary; false if that cannot be determined. A replication connection supports SHOW from
    /// 10 on.
    private func isPrimary() throws(UnderstudyError) -> Bool {
        guard server.version.showsSettings else { return false }
        let setting = server.version.hasInHotStandbySetting ? "in_hot_standby" : "transaction_read_only"
        do throws(UnderstudyError) { return try session.show(setting) == "off" } catch {
            guard error.code == .server else { throw error }
            return false
        }
    }
}

extension WALHoldings.Piece {
    fileprivate var end: LSN { LSN(rawValue: start.lsn.rawValue + UInt64(bytes.count)) }
}
