package import UnderstudyWAL

/// What goes through the WAL to see it arrive, and leaves nothing behind.
extension CheckSQL {
    package enum Marker: String, Sendable, CaseIterable {
        /// pg_logical_emit_message, which nobody has to decode: from 9.6.
        case message
        /// pg_create_restore_point, whose name nobody has to restore to; the server logs it.
        case restorePoint
        /// A transaction that has a number and does nothing.
        case transaction
    }

    /// The markers that the role may use on this server, the best one first.
    package static func markers(_ version: ServerVersion) -> ReplicationQuery<[Marker]> {
        let arguments = version.flushesLogicalMessages ? "boolean, text, text, boolean" : "boolean, text, text"
        let message =
            version.hasLogicalMessages
            ? "pg_catalog.has_function_privilege('pg_catalog.pg_logical_emit_message(\(arguments))', 'EXECUTE')"
            : "false"
        let point =
            version.grantsRestorePoints
            ? "pg_catalog.has_function_privilege('pg_catalog.pg_create_restore_point(text)', 'EXECUTE')"
            : "(SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user)"
        let text = "SELECT \(message), \(point)"
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            let row = try rows.onlyRow(atLeast: 2, of: "has_function_privilege")
            return (row[0] == "t" ? [.message] : []) + (row[1] == "t" ? [.restorePoint] : []) + [.transaction]
        }
    }

    /// How the marker's commit is made known: flushed at once, and no standby is waited for that may not be there. With
    /// `remote_apply` a standby tells at once that it has replayed the commit, also one that nobody waits for.
    ///
    /// - Parameter waits: Whether synchronous_standby_names has commits wait.
    package static func commitMode(_ version: ServerVersion, waits: Bool) -> String {
        "SET synchronous_commit = \(version.waitsForReplay && !waits ? "remote_apply" : "local")"
    }

    /// Writes the marker; the position behind it, or nil where only the end of the WAL afterwards is known.
    package static func write(_ marker: Marker) -> ReplicationQuery<LSN?> {
        let text =
            switch marker {
            // Of a transaction, since the WAL of a message without one waits for other WAL to be flushed.
            case .message: "SELECT pg_catalog.pg_logical_emit_message(true, 'understudy', 'check')"
            // With the number of a transaction there is a commit, which flushes.
            case .restorePoint:
                "SELECT pg_catalog.pg_create_restore_point('understudy check'), pg_catalog.txid_current()"
            case .transaction: "SELECT NULL, pg_catalog.txid_current()"
            }
        return ReplicationQuery(text) { rows throws(ProtocolError) in
            try rows.onlyRow(atLeast: 1, of: "\(marker)")[0].flatMap { LSN($0) }
        }
    }

    /// The end of what a primary has generated.
    package static func end(_ version: ServerVersion) -> ReplicationQuery<LSN?> {
        let name = version.walNames.inserted
        return ReplicationQuery("SELECT pg_catalog.\(name)()") { rows throws(ProtocolError) in
            try rows.onlyRow(atLeast: 1, of: name)[0].flatMap { LSN($0) }
        }
    }
}
