/// The physical replication slot that a stream uses: with one, the server keeps WAL until it is received. Servers before
/// 9.4 have none.
///
/// More cases may come: switch over it with `@unknown default`.
///
/// Source: PostgreSQL manual, "Replication Slots"; CREATE_REPLICATION_SLOT.
@nonexhaustive
public enum ReplicationSlot: Sendable, Hashable, Codable {
    /// No slot: the server may remove WAL before it was received.
    case none
    /// One that ends with the connection, for base backups; no slot where the server has none such (before 10).
    case temporary
    /// An existing permanent slot.
    case existing(String)
    /// A new permanent slot that holds WAL from its creation on; an error if one of that name exists.
    case create(String)
    /// An existing permanent slot, or a new one. A base backup takes an existing one only if it is not in use and still
    /// holds its WAL.
    case createIfMissing(String)

    /// The name of a permanent slot.
    public var name: String? {
        switch self {
        case .none, .temporary: nil
        case .existing(let name), .create(let name), .createIfMissing(let name): name
        }
    }
}
