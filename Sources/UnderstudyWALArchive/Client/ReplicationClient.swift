public import Logging
import UnderstudyConnection
public import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
public import UnderstudyWAL

/// Runs the commands of a replication connection, each over its own connection.
///
/// ```swift
/// let client = ReplicationClient(source: "host=db1 user=archiver")
/// let system = try await client.identifySystem()
/// print(system.identifier, system.timeline, system.position)
/// ```
///
/// Cancelling the task ends the wait for the server.
public struct ReplicationClient: Sendable {
    public var source: ConnectionString
    public var logger: Logger

    public init(source: ConnectionString, logger: Logger = .silent) {
        self.source = source
        self.logger = logger
    }

    /// What a server reports about itself.
    public struct System: Sendable, Equatable, Codable {
        /// Equal for a primary and all its standbys.
        public var identifier: String
        public var timeline: TimelineID
        /// The position up to which WAL is on the server's disk.
        public var position: LSN
        /// As `server_version_num`: 150018.
        public var serverVersion: Int
        /// Bytes in a WAL segment.
        public var segmentSize: Int

        public init(identifier: String, timeline: TimelineID, position: LSN, serverVersion: Int, segmentSize: Int) {
            self.identifier = identifier
            self.timeline = timeline
            self.position = position
            self.serverVersion = serverVersion
            self.segmentSize = segmentSize
        }
    }

    /// Identifies the server: IDENTIFY_SYSTEM, and SHOW wal_segment_size.
    public func identifySystem() async throws(UnderstudyError) -> System {
        let logger = logger
        return try await perform { session throws(UnderstudyError) in
            let facts = try ServerFacts(session, logger: logger)
            return System(
                identifier: facts.identity.systemIdentifier, timeline: facts.identity.timeline,
                position: facts.identity.position, serverVersion: facts.version.number,
                segmentSize: Int(facts.segmentSize.bytes))
        }
    }

    /// A replication slot.
    public struct SlotState: Sendable, Equatable, Codable {
        /// `physical` or `logical`.
        public var kind: String
        /// The server keeps WAL from here on; nil for a slot that was never used, or that the server has invalidated.
        public var restartLSN: LSN?
        public var restartTimeline: TimelineID?

        public init(kind: String, restartLSN: LSN? = nil, restartTimeline: TimelineID? = nil) {
            self.kind = kind
            self.restartLSN = restartLSN
            self.restartTimeline = restartTimeline
        }
    }

    /// Reads a slot's state, nil if there is no such slot: READ_REPLICATION_SLOT. Servers from 15.
    public func slot(_ name: String) async throws(UnderstudyError) -> SlotState? {
        try await perform { session throws(UnderstudyError) in
            try session.checkSlotName(name)
            let state = try session.ask(.readSlot(name))
            return state.map {
                SlotState(kind: $0.kind, restartLSN: $0.restartLSN, restartTimeline: $0.restartTimeline)
            }
        }
    }

    /// Creates a physical replication slot: CREATE_REPLICATION_SLOT.
    ///
    /// - Parameters:
    ///   - reserveWAL: Whether it holds WAL from now on (servers from 9.6), or only from its first use.
    ///   - ifNotExists: Whether to accept an existing slot of that name.
    public func createSlot(
        _ name: String, reserveWAL: Bool = true, ifNotExists: Bool = false
    ) async throws(UnderstudyError) {
        let logger = logger
        try await perform { session throws(UnderstudyError) in
            try session.serverVersion.requireSlots()
            try session.checkSlotName(name)
            logger.info(
                "creating replication slot \"\(name)\"", metadata: .event(.slotCreated, ["slot": "\(name)"]))
            do throws(UnderstudyError) {
                try session.makeSlot(name, temporary: false, reserveWAL: reserveWAL)
            } catch  where ifNotExists && error.sqlState == "42710" {
                logger.info(
                    "replication slot \"\(name)\" exists already",
                    metadata: .event(.slotExists, isOwn: true, ["slot": "\(name)"]))
            }
        }
    }

    /// Drops a replication slot: DROP_REPLICATION_SLOT.
    public func dropSlot(_ name: String) async throws(UnderstudyError) {
        let logger = logger
        try await perform { session throws(UnderstudyError) in
            try session.serverVersion.requireSlots()
            try session.checkSlotName(name)
            logger.info(
                "dropping replication slot \"\(name)\"", metadata: .event(.slotDropped, ["slot": "\(name)"]))
            try session.removeSlot(name)
        }
    }

    /// The content of a timeline's history file: TIMELINE_HISTORY.
    public func timelineHistory(_ timeline: TimelineID) async throws(UnderstudyError) -> [UInt8] {
        try await perform { session throws(UnderstudyError) in
            do throws(ConnectionError) { return try session.history(of: timeline) } catch {
                throw UnderstudyError(error)
            }
        }
    }

    private func perform<Value: Sendable>(
        _ body: @escaping @Sendable (Session) throws(UnderstudyError) -> Value
    ) async throws(UnderstudyError) -> Value {
        let interrupt = Interrupt()
        return try await OwnThread.run("replication", interrupt: interrupt, failure: { UnderstudyError($0) }) {
            () throws(UnderstudyError) in
            let parameters = try ConnectionParameters(reading: source)
            let session: Session
            let logger = logger
            do throws(ConnectionError) {
                session = try Session.connect(
                    parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                    silenceLimit: .seconds(300), notices: logger.passingOn())
            } catch { throw UnderstudyError(error) }
            return try body(session)
        }
    }
}
