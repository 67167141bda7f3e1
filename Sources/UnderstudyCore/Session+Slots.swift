package import UnderstudyConnection
package import UnderstudyProtocol

extension ServerVersion {
    /// Refuses what a server before 9.4 cannot do, and answers with a syntax error.
    package func requireSlots() throws(UnderstudyError) {
        guard hasSlots else {
            throw UnderstudyError(
                .slot, "server version \(self) has no replication slots",
                hint: "Leave the slot out, and set wal_keep_segments on the primary high enough instead.")
        }
    }
}

extension Session {
    /// Creates a physical slot; an error names it.
    package func makeSlot(_ name: String, temporary: Bool, reserveWAL: Bool) throws(UnderstudyError) {
        do throws(ConnectionError) { try createSlot(name, temporary: temporary, reserveWAL: reserveWAL) } catch {
            var failure = UnderstudyError(error, of: .slot, slot: name)
            failure.message = "could not create replication slot \"\(name)\": \(failure.message)"
            failure.command = ReplicationCommand.createSlot(
                name, temporary: temporary, reserveWAL: reserveWAL, version: serverVersion)
            if error.code == .lost, !temporary {
                failure.hint =
                    "If it was made all the same, it holds WAL on the primary until it is dropped there: \(SlotSQL.drop(name))"
            }
            throw failure
        }
    }

    /// Drops a slot, and retries: the server may need a moment to notice that the stream that used it has ended.
    ///
    /// - Parameter end: No attempt begins after it, and none takes longer.
    package func dropSlotOnceFree(_ name: String, until end: ContinuousClock.Instant) throws(ConnectionError) {
        for attempt in 1...50 {
            do throws(ConnectionError) {
                try dropSlot(name, until: end)
                return
            } catch  where error.sqlState == "55006" && attempt < 50 && ContinuousClock().now < end {
                pause(.milliseconds(100))
            }
        }
    }

    /// Drops a slot; an error names it.
    package func removeSlot(_ name: String) throws(UnderstudyError) {
        do throws(ConnectionError) { try dropSlot(name) } catch {
            var failure = UnderstudyError(error, of: .slot, slot: name)
            failure.message = "could not drop replication slot \"\(name)\": \(failure.message)"
            failure.command = ReplicationCommand.dropSlot(name)
            if error.sqlState == "55006" { failure.hint = SlotInUse.hint(name, serverVersion, isDropped: true) }
            if error.sqlState == "42704" {
                failure.hint = "The server lists its slots: SELECT slot_name, slot_type FROM pg_replication_slots;"
            }
            throw failure
        }
    }
}

extension UnderstudyError {
    /// A slot of the wrong kind. It keeps WAL for somebody, so the hint does not suggest dropping it.
    package static func notPhysical(slot name: String, kind: String = "logical") -> UnderstudyError {
        UnderstudyError(
            .slot, "cannot use replication slot \"\(name)\": it is a \(kind) slot, not a physical one",
            hint: "Name a physical slot, or let one be made under another name.")
    }
}
