package import UnderstudyProtocol

/// A slot from which another process streams. It holds WAL for somebody: nothing suggests to drop it.
package enum SlotInUse {
    /// What to do, in words that can be pasted on a server of this version.
    package static func hint(_ name: String, _ version: ServerVersion) -> String {
        // The process is told from 9.5 on.
        let look =
            version.number >= 90500
            ? "SELECT * FROM pg_stat_replication WHERE pid = (SELECT active_pid FROM pg_replication_slots WHERE slot_name = \(SQLText.literal(name)));"
            : "SELECT * FROM pg_stat_replication;"
        return "Choose another slot, or stop the client that uses this one. To find it, ask the server: \(look)"
    }
}

/// SQL on slots, as it is pasted.
package enum SlotSQL {
    package static func drop(_ name: String) -> String {
        "SELECT pg_drop_replication_slot(\(SQLText.literal(name)));"
    }
}
