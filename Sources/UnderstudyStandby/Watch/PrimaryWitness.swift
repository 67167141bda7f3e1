import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// What the primary says of the standby's stream, over an ordinary connection, if it allows one.
struct PrimaryWitness: Sendable {
    let parameters: ConnectionParameters
    /// The slot that the standby uses, and nobody else.
    let slot: String?
    let access: QueryAccess
    let interrupt: Interrupt
    /// When the standby was started.
    private let began = ContinuousClock().now

    init(_ parameters: ConnectionParameters, slot: String?, access: QueryAccess, interrupt: Interrupt) {
        self.parameters = parameters
        self.slot = slot
        self.access = access
        self.interrupt = interrupt
    }

    /// Whether the slot is in use; without a slot, whether somebody with this role has begun to stream since the start.
    /// Any role may see that much.
    func seesStream() async -> Bool {
        let question = question, parameters = parameters, access = access, interrupt = interrupt
        let row = try? await OwnThread.run(
            "primary watch", interrupt: interrupt, failure: ConnectionError.init(thread:)
        ) { () throws(ConnectionError) in
            let session = try OrdinaryConnection.open(parameters, interrupt, access)
            session.silenceLimit = SilenceLimit(limit: .seconds(5), .failure)
            return try session.runForRows(question).rows.first ?? []
        }
        return row?.first == "t"
    }

    private var question: String {
        if let slot {
            return "SELECT active FROM pg_catalog.pg_replication_slots WHERE slot_name = \(SQLText.literal(slot))"
        }
        let seconds = (ContinuousClock().now - began).components.seconds
        return """
            SELECT pg_catalog.count(*) > 0 FROM pg_catalog.pg_stat_replication WHERE state = 'streaming' \
            AND usename = session_user AND backend_start > pg_catalog.now() - interval '\(seconds) seconds'
            """
    }
}
