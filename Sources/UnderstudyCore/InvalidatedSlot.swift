package import UnderstudyConnection
package import UnderstudyPlatform
package import UnderstudyProtocol

/// Finds out whether a slot was invalidated after the server ended its WAL sender.
package enum InvalidatedSlot {
    /// The server ends the WAL sender first and invalidates the slot a moment later, so the slot is read repeatedly.
    private static let attempts = 10
    private static let pause = Duration.milliseconds(100)

    /// Reads the slot over a new connection until it is invalidated, or no longer seems about to be.
    ///
    /// - Parameter look: Reads the slot over the connection that it is given.
    /// - Returns: nil if the slot was not invalidated, or if that cannot be determined.
    package static func find(
        _ name: String, _ parameters: ConnectionParameters, _ interrupt: Interrupt,
        _ read: (Session) throws(UnderstudyError) -> SlotReading
    ) -> SlotInvalidation? {
        var parameters = parameters
        if parameters["connect_timeout"] == nil { parameters["connect_timeout"] = "10" }
        // A server that refuses us is shutting down, which explains why the WAL sender ended.
        guard
            let session = try? Session.connect(
                parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                silenceLimit: .seconds(10))
        else { return nil }
        for attempt in 1...attempts {
            guard let found = try? read(session) else { return nil }
            if let invalidation = found.invalidation { return invalidation }
            // A slot is "unreserved" before it is invalidated.
            let mayBecome = found.isAnswered ? found.walStatus == "unreserved" || found.walStatus == "lost" : true
            if found.state == nil || !mayBecome || attempt == attempts { return nil }
            session.pause(pause)
        }
        return nil
    }
}
