/// A command that is answered with rows, and how they are read: each question to a server is written once.
package struct ReplicationQuery<Value>: Sendable {
    package let text: String
    package let read: @Sendable (ResultSet) throws(ProtocolError) -> Value

    init(_ text: String, _ read: @escaping @Sendable (ResultSet) throws(ProtocolError) -> Value) {
        self.text = text
        self.read = read
    }
}

extension ReplicationQuery where Value == SystemIdentity {
    package static var identifySystem: ReplicationQuery {
        ReplicationQuery(ReplicationCommand.identifySystem) { rows throws(ProtocolError) in try SystemIdentity(rows) }
    }
}

extension ReplicationQuery where Value == SlotState? {
    /// The state of a slot; nil if there is none of that name. Servers from 15.
    package static func readSlot(_ name: String) -> ReplicationQuery {
        ReplicationQuery(ReplicationCommand.readSlot(name)) { rows throws(ProtocolError) in try SlotState.decode(rows) }
    }
}

extension ReplicationQuery where Value == String {
    /// The value of a setting. Servers from 10.
    package static func show(_ setting: String) -> ReplicationQuery {
        let command = ReplicationCommand.show(setting)
        return ReplicationQuery(command) { rows throws(ProtocolError) in
            try rows.onlyRow(atLeast: 1, of: command)[0] ?? ""
        }
    }
}

extension ReplicationQuery where Value == WatchQuery.Answer {
    /// What an ordinary connection tells of the server and a slot.
    package static func watch(_ query: WatchQuery) -> ReplicationQuery {
        ReplicationQuery(query.text) { rows throws(ProtocolError) in try WatchQuery.Answer(rows) }
    }
}
