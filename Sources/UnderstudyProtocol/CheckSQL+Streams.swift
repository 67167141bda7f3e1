package import UnderstudyWAL

/// Who receives WAL, what holds it back, and how far a standby is.
extension CheckSQL {
    /// A WAL sender.
    package struct Sender: Sendable, Equatable {
        package var processID: Int
        package var applicationName: String
        package var address: String?
        /// `streaming`, `catchup`, `backup`, `startup`; nil if the role may not see it, and so for all that follows.
        package var state: String?
        /// `async`, `potential`, `sync` or `quorum`.
        package var syncState: String?
        /// What the client has not received, written, flushed and replayed.
        package var sent: UInt64?
        package var written: UInt64?
        package var flushed: UInt64?
        package var replayed: UInt64?
        package var replayedTo: LSN?
        /// In seconds, from 10; nil on an idle server.
        package var writeLag: Double?
        package var flushLag: Double?
        package var replayLag: Double?
        /// The slot that it uses, from 9.5.
        package var slot: String?

        package init(processID: Int, applicationName: String, state: String? = nil, syncState: String? = nil) {
            self.processID = processID
            self.applicationName = applicationName
            self.state = state
            self.syncState = syncState
        }

        /// Whether a standby, or another that receives WAL, is behind it.
        package var isStream: Bool { state == "streaming" || state == "catchup" }
    }

    /// - Parameter own: The process ID of our own WAL sender.
    package static func senders(_ version: ServerVersion, except own: Int? = nil) -> ReplicationQuery<[Sender]> {
        let names = version.walNames
        func behind(_ column: String) -> String {
            "pg_catalog.\(names.difference)(\(names.position), \(column)_\(names.columnSuffix))"
        }
        func lag(_ column: String) -> String {
            version.tellsLagTimes ? "EXTRACT(EPOCH FROM \(column)_lag)" : "NULL"
        }
        let slot = version.showsSlotProcess ? "slot_name" : "NULL"
        let slots =
            version.showsSlotProcess
            ? " LEFT JOIN pg_catalog.pg_replication_slots AS slots ON slots.active_pid = senders.pid" : ""
        let text = """
            SELECT pid, application_name, pg_catalog.host(client_addr), state, sync_state, \(behind("sent")), \
            \(behind("write")), \(behind("flush")), \(behind("replay")), replay_\(names.columnSuffix), \(lag("write")), \
            \(lag("flush")), \(lag("replay")), \(slot) FROM pg_catalog.pg_stat_replication AS senders\(slots) \
            WHERE pid <> \(own ?? 0) ORDER BY pid
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            rows.rows.filter { $0.count == 14 }.map { row in
                var sender = Sender(
                    processID: row[0].flatMap { Int($0) } ?? 0, applicationName: row[1] ?? "", state: row[3],
                    syncState: row[4])
                sender.address = row[2]
                (sender.sent, sender.written) = (bytes(row[5]), bytes(row[6]))
                (sender.flushed, sender.replayed) = (bytes(row[7]), bytes(row[8]))
                sender.replayedTo = row[9].flatMap { LSN($0) }
                sender.writeLag = seconds(row[10])
                sender.flushLag = seconds(row[11])
                sender.replayLag = seconds(row[12])
                sender.slot = row[13]
                return sender
            }
        }
    }

    /// A difference of positions that were read one after the other may be below zero.
    private static func bytes(_ text: String?) -> UInt64? {
        text.flatMap { Int64($0) }.map { UInt64(max(0, $0)) }
    }

    /// Two clocks may differ, and a server may say anything: at most some thousand years.
    private static func seconds(_ text: String?) -> Double? {
        text.flatMap { Double($0) }.flatMap { $0.isFinite ? min(max(0, $0), 1e11) : nil }
    }

    /// A replication slot, as it holds WAL back.
    package struct Slot: Sendable, Equatable {
        package var name: String
        package var kind: String
        package var isActive: Bool
        /// What it holds back; nil for one that was never used, or is invalidated.
        package var held: UInt64?
        /// `reserved`, `extended`, `unreserved` or `lost` (from 13).
        package var walStatus: String?
        /// Why the server invalidated it (from 17).
        package var invalidationReason: String?

        package init(
            _ name: String, kind: String = "physical", isActive: Bool, held: UInt64? = nil, walStatus: String? = nil,
            invalidationReason: String? = nil
        ) {
            self.name = name
            self.kind = kind
            self.isActive = isActive
            self.held = held
            self.walStatus = walStatus
            self.invalidationReason = invalidationReason
        }

        package var isLost: Bool { walStatus == "lost" || invalidationReason != nil }
    }

    /// Servers from 9.4.
    package static func slots(_ version: ServerVersion) -> ReplicationQuery<[Slot]> {
        let names = version.walNames
        let status = version.reportsSlotWALStatus ? "wal_status" : "NULL"
        let reason = version.reportsInvalidationReason ? "invalidation_reason" : "NULL"
        let text = """
            SELECT slot_name, slot_type, active, pg_catalog.\(names.difference)(\(names.position), restart_lsn), \
            \(status), \(reason) FROM pg_catalog.pg_replication_slots ORDER BY slot_name
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            rows.rows.filter { $0.count == 6 }.map { row in
                Slot(
                    row[0] ?? "", kind: row[1] ?? "", isActive: row[2] == "t", held: bytes(row[3]), walStatus: row[4],
                    invalidationReason: row[5])
            }
        }
    }

    /// What archive_command has come to.
    package struct ArchiverState: Sendable, Equatable {
        package var archivedCount: Int
        package var failedCount: Int
        package var lastFailedWAL: String?
        /// Whether the last attempt failed.
        package var isFailing: Bool

        package init(archivedCount: Int = 0, failedCount: Int = 0, lastFailedWAL: String? = nil, isFailing: Bool) {
            self.archivedCount = archivedCount
            self.failedCount = failedCount
            self.lastFailedWAL = lastFailedWAL
            self.isFailing = isFailing
        }
    }

    /// Servers from 9.4.
    package static var archiver: ReplicationQuery<ArchiverState> {
        let text = """
            SELECT archived_count, failed_count, last_failed_wal, last_failed_time IS NOT NULL AND \
            (last_archived_time IS NULL OR last_failed_time > last_archived_time) FROM pg_catalog.pg_stat_archiver
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            let row = try rows.onlyRow(atLeast: 4, of: "pg_stat_archiver")
            return ArchiverState(
                archivedCount: row[0].flatMap { Int($0) } ?? 0, failedCount: row[1].flatMap { Int($0) } ?? 0,
                lastFailedWAL: row[2], isFailing: row[3] == "t")
        }
    }

    // MARK: - A standby

    /// The WAL receiver.
    package struct Receiver: Sendable, Equatable {
        /// nil if the role may not see it, and so for all that follows.
        package var status: String?
        /// From 13.
        package var written: LSN?
        package var timeline: TimelineID?
        /// The server that it receives from (from 11).
        package var host: String?
        package var port: String?
        package var slot: String?
        /// Seconds since the last message of that server.
        package var silence: Double?

        package init(status: String? = nil) {
            self.status = status
        }
    }

    /// Servers from 9.6; nil if there is no receiver.
    package static func receiver(_ version: ServerVersion) -> ReplicationQuery<Receiver?> {
        let written = version.tellsWrittenByReceiver ? "written_lsn" : "NULL"
        let sender = version.namesSenderOfReceiver ? "sender_host, sender_port" : "NULL, NULL"
        let text = """
            SELECT status, \(written), received_tli, \(sender), slot_name, \
            EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - last_msg_receipt_time) \
            FROM pg_catalog.pg_stat_wal_receiver WHERE pid IS NOT NULL
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            guard let row = rows.rows.first, row.count == 7 else { return nil }
            var receiver = Receiver(status: row[0])
            receiver.written = row[1].flatMap { LSN($0) }
            receiver.timeline = row[2].flatMap { UInt32($0) }.map { TimelineID(rawValue: $0) }
            (receiver.host, receiver.port, receiver.slot) = (row[3], row[4], row[5])
            receiver.silence = seconds(row[6])
            return receiver
        }
    }

    /// How far a standby is.
    package struct Replay: Sendable, Equatable {
        package var received: LSN?
        package var replayed: LSN?
        package var isPaused: Bool
        /// Seconds since the last commit that was replayed was made; nil if there was none.
        package var age: Double?

        package init(received: LSN? = nil, replayed: LSN? = nil, isPaused: Bool = false, age: Double? = nil) {
            self.received = received
            self.replayed = replayed
            self.isPaused = isPaused
            self.age = age
        }
    }

    package static func replay(_ version: ServerVersion) -> ReplicationQuery<Replay> {
        let names = version.walNames
        let text = """
            SELECT pg_catalog.\(names.received)(), pg_catalog.\(names.replayed)(), \
            CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.\(names.isReplayPaused)() END, \
            EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())
            """
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            let row = try rows.onlyRow(atLeast: 4, of: names.replayed)
            return Replay(
                received: row[0].flatMap { LSN($0) }, replayed: row[1].flatMap { LSN($0) }, isPaused: row[2] == "t",
                age: seconds(row[3]))
        }
    }
}
