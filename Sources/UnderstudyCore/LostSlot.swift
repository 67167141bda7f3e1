package import UnderstudyConnection
package import UnderstudyPlatform
package import UnderstudyProtocol

/// Finds out, after a WAL sender was ended, whether its slot was invalidated.
package enum LostSlot {
    /// The server ends the WAL sender first, and writes the slot off a moment later.
    private static let attempts = 10
    private static let pause = Duration.milliseconds(100)

    /// - Parameter look: Looks at the slot, over the new connection that it is given.
    /// - Returns: nil where the slot was not invalidated, and where nothing tells.
    package static func find(
        _ name: String, _ parameters: ConnectionParameters, _ interrupt: Interrupt,
        _ look: (Session) throws(UnderstudyError) -> SlotLook
    ) -> SlotInvalidation? {
        var parameters = parameters
        if parameters["connect_timeout"] == nil { parameters["connect_timeout"] = "10" }
        // A server that is stopped does not let us in: then it was that.
        guard
            let session = try? Session.connect(
                parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                patience: .seconds(10))
        else { return nil }
        for attempt in 1...attempts {
            guard let found = try? look(session) else { return nil }
            if let invalidation = found.invalidation { return invalidation }
            // Until then it is one whose WAL may be removed.
            let mayBecome = found.isAnswered ? found.walStatus == "unreserved" || found.walStatus == "lost" : true
            if found.state == nil || !mayBecome || attempt == attempts { return nil }
            session.pause(pause)
        }
        return nil
    }
}
