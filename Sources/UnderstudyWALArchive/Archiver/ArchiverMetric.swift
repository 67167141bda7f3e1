/// The metrics of an archiver. Their names are documented, and do not change; a name's last word is its unit.
package enum ArchiverMetric: String, CaseIterable, Sendable {
    case connected = "understudy_wal_connected"
    case stalled = "understudy_wal_stalled"
    case receivedLSN = "understudy_wal_received_lsn"
    case flushLSN = "understudy_wal_flush_lsn"
    case serverLSN = "understudy_wal_server_lsn"
    case lagBytes = "understudy_wal_lag_bytes"
    case timeline = "understudy_wal_timeline"
    case receivedBytes = "understudy_wal_received_bytes_total"
    case finishedSegments = "understudy_wal_segments_finished_total"
    case disconnections = "understudy_wal_disconnections_total"
    case gaps = "understudy_wal_gaps_total"
    case archiveGaps = "understudy_wal_archive_gaps"
    case storageWait = "understudy_wal_storage_wait_seconds"
    case receiptWait = "understudy_wal_receipt_wait_seconds"
    case silence = "understudy_wal_silence_seconds"
    case syncTime = "understudy_wal_sync_seconds"
    case acknowledgementTime = "understudy_wal_acknowledgement_seconds"

    /// What it says, in one sentence.
    package var help: String {
        switch self {
        case .connected: "Whether a WAL stream is there (1) or not (0)."
        case .stalled: "Whether the archive has no room, so that nothing more is acknowledged."
        case .receivedLSN: "The position after the last byte received, in bytes from 0/0."
        case .flushLSN: "The position up to which WAL was reported to the server as flushed, in bytes from 0/0."
        case .serverLSN: "The end of the server's own WAL as last reported, in bytes from 0/0."
        case .lagBytes: "WAL of the server that was not acknowledged yet."
        case .timeline: "The timeline that is received."
        case .receivedBytes: "WAL received."
        case .finishedSegments: "Segments completed and put on stable storage."
        case .disconnections: "Streams that ended though nobody asked for it."
        case .gaps: "Ranges of WAL that the server had removed before they were received."
        case .archiveGaps: "Ranges of WAL that are missing in the archive, as last looked at."
        case .storageWait:
            "For how long the archive's storage has not done what it was asked last; 0 if it has done all."
        case .receiptWait: "For how long nothing has come, though the server has more WAL; 0 if it has not."
        case .silence: "How long ago the server's last message came."
        case .syncTime: "How long it took to put received WAL on stable storage."
        case .acknowledgementTime:
            "The time from the receipt of a piece of WAL to its acknowledgement; one piece at a time is timed."
        }
    }
}
