import UnderstudyConfiguration
package import UnderstudyConnection
package import UnderstudyPlatform
import UnderstudyProtocol

/// Explains error 53300, which refuses a connection because all WAL senders are in use. A run that was killed during
/// the server's checkpoint may have left some behind.
package enum WALSendersInUse {
    private static let shown = 5

    /// The error for a failed connection. If no WAL sender was free and an ordinary connection is allowed, the hint
    /// names the senders that take base backups.
    ///
    /// - Parameters:
    ///   - own: The process ID of our own WAL sender, which is not counted.
    ///   - access: Whether an ordinary connection may be used.
    package static func explain(
        _ error: ConnectionError, _ parameters: ConnectionParameters, _ interrupt: Interrupt, except own: Int? = nil,
        access: QueryAccess = QueryAccess()
    ) -> UnderstudyError {
        var failure = UnderstudyError(error)
        guard error.sqlState == "53300", KnownText.maxWALSenders.stands(in: error.message),
            let (rows, version) = try? OrdinaryConnection.share(
                parameters, interrupt, access,
                { session throws(UnderstudyError) in
                    do throws(ConnectionError) {
                        return (try session.runForRows(query(except: own)).rows, session.serverVersion)
                    } catch { throw UnderstudyError(error) }
                })
        else { return failure }
        let raise = raise(error, version)
        // The server hides the state of WAL senders from a role that may not read all statistics.
        failure.hint =
            rows.contains(where: { $0.count < 2 || $0[1] == nil })
            ? raise
            : hint(
                rows.compactMap {
                    ["backup", "startup"].contains($0[1]) ? $0[0].flatMap { Int($0) }.map(String.init) : nil
                }, raise: raise)
        return failure
    }

    /// What the error alone tells.
    static func hint(_ error: ConnectionError, _ version: ServerVersion?) -> String {
        "\(raise(error, version)) A run that was killed may have left senders (pg_stat_replication, state backup or startup): they end with the checkpoint that the server makes."
    }

    private static func raise(_ error: ConnectionError, _ version: ServerVersion?) -> String {
        // The message ends with the number: "(currently 10)".
        PrimaryHint.raiseWALSenders((error.server?.message ?? error.message).lastNumber, on: version?.number)
    }

    private static func query(except own: Int?) -> String {
        """
        SELECT pid, state FROM pg_catalog.pg_stat_replication WHERE pid <> \(own ?? 0) ORDER BY pid
        """
    }

    /// The hint for senders that are in use.
    ///
    /// - Parameters:
    ///   - processes: The process IDs of the senders that take a base backup or have not begun to work.
    ///   - raise: What allows more of them.
    package static func hint(_ processes: [String], raise: String) -> String {
        guard !processes.isEmpty else { return "\(raise) None of the senders in use takes a base backup." }
        let list = processes.prefix(shown).joined(separator: ", ")
        let more = processes.count > shown ? " and \(processes.count - shown) more" : ""
        let isOne = processes.count == 1
        return
            "\(raise) \(isOne ? "1 WAL sender takes a base backup or has" : "\(processes.count) WAL senders take base backups or have") yet to begin (pid \(list)\(more)): if a run that was killed has left \(isOne ? "it, it ends" : "them, they end") with the checkpoint that the server makes, or with: SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE pid IN (\(list));"
    }
}

extension String {
    /// The last number in a message of the server, whatever its language.
    fileprivate var lastNumber: Int? {
        unicodeScalars.split { !("0"..."9").contains($0) }.last.flatMap { Int(String($0)) }
    }
}
