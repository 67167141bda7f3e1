package import UnderstudyProtocol

extension Session {
    /// Runs a query and reads its rows. A query that is not shielded ends with an interrupt.
    package func answer<Value>(
        to query: ReplicationQuery<Value>, isShielded: Bool = false
    ) throws(ConnectionError) -> Value {
        let rows =
            isShielded
            ? try runShielded(query.text).first ?? ResultSet(columns: [], rows: []) : try runForRows(query.text)
        do throws(ProtocolError) { return try query.read(rows) } catch {
            throw ConnectionError(.protocolViolation, error.message)
        }
    }

    /// Creates a physical slot: CREATE_REPLICATION_SLOT.
    ///
    /// Shielded: an interrupt between the command and its answer would leave a slot that nobody knows of.
    ///
    /// - Parameter reserveWAL: Whether the slot holds WAL from now on (from 9.6), or from its first use.
    package func createSlot(_ name: String, temporary: Bool, reserveWAL: Bool) throws(ConnectionError) {
        _ = try runShielded(
            ReplicationCommand.createSlot(
                name, temporary: temporary, reserveWAL: reserveWAL, version: serverVersion))
    }

    /// Drops a slot: DROP_REPLICATION_SLOT. Shielded, too. The server does not drop a slot that is in use (55006).
    ///
    /// - Parameter end: The end of the shield, if that is earlier than its own.
    package func dropSlot(
        _ name: String, until end: ContinuousClock.Instant? = nil
    ) throws(ConnectionError) {
        _ = try runShielded(ReplicationCommand.dropSlot(name), until: end)
    }
}
