package import UnderstudyProtocol

/// A slot that another process streams from. It keeps WAL for somebody, so no hint suggests dropping it.
package enum SlotInUse {
    /// What to do, with SQL that can be pasted on a server of this version.
    ///
    /// - Parameters:
    ///   - name: nil if it is not known.
    ///   - version: Of the server; nil if it is not known.
    ///   - isDropped: Whether the slot was to be dropped, not used.
    package static func hint(_ name: String?, _ version: ServerVersion?, isDropped: Bool = false) -> String {
        let showsProcess = version.map(\.showsSlotProcess) ?? false
        let query =
            if showsProcess, let name {
                "SELECT * FROM pg_stat_replication WHERE pid = (SELECT active_pid FROM pg_replication_slots WHERE slot_name = \(SQLText.literal(name)));"
            } else {
                "SELECT * FROM pg_stat_replication;"
            }
        return
            "\(isDropped ? "Stop" : "Choose another slot, or stop") the client that uses this one. To find it, ask the server: \(query)"
    }
}

/// SQL statements about slots, ready to be pasted.
package enum SlotSQL {
    /// A slot that holds WAL from its creation on; before 9.6 from its first use.
    ///
    /// - Parameter version: Of the server; nil for one that is not known.
    package static func create(_ name: String, on version: ServerVersion?) -> String {
        let reserves = version.map(\.reservesWALOnSlotCreation) ?? true
        return "SELECT pg_create_physical_replication_slot(\(SQLText.literal(name))\(reserves ? ", true" : ""));"
    }

    package static func drop(_ name: String) -> String {
        "SELECT pg_drop_replication_slot(\(SQLText.literal(name)));"
    }
}
