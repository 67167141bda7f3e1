package import UnderstudyConnection
package import UnderstudyPlatform
import UnderstudyProtocol

/// The WAL senders that keep a connection out (53300): a run that was ended while the server made its checkpoint may have
/// left some.
package enum BusySenders {
    private static let shown = 5

    /// The error of a connection that could not be made, with the count of such senders where an ordinary connection may ask.
    ///
    /// - Parameter own: The process of a sender that works for us.
    package static func explain(
        _ error: ConnectionError, _ parameters: ConnectionParameters, _ interrupt: Interrupt, except own: Int? = nil
    ) -> UnderstudyError {
        var failure = UnderstudyError(error)
        guard error.sqlState == "53300", error.message.contains("max_wal_senders"),
            let session = try? OrdinaryConnection.open(parameters, interrupt),
            let rows = try? session.runForRows(query(except: own)).rows
        else { return failure }
        // Without the right to read all statistics, a role is not told what senders do.
        if rows.contains(where: { $0.count < 2 || $0[1] == nil }) {
            failure.hint = "\(raise)."
        } else {
            failure.hint = hint(
                rows.compactMap {
                    ["backup", "startup"].contains($0[1]) ? $0[0].flatMap { Int($0) }.map(String.init) : nil
                })
        }
        return failure
    }

    private static func query(except own: Int?) -> String {
        """
        SELECT pid, state FROM pg_catalog.pg_stat_replication WHERE pid <> \(own ?? 0) ORDER BY pid
        """
    }

    /// - Parameter processes: Of the senders that take backups or have not begun to work.
    package static func hint(_ processes: [String]) -> String {
        guard !processes.isEmpty else { return "\(raise). None of the senders in use takes a base backup." }
        let list = processes.prefix(shown).joined(separator: ", ") + (processes.count > shown ? ", ..." : "")
        let isOne = processes.count == 1
        return
            "\(raise). \(isOne ? "1 WAL sender takes a base backup or has" : "\(processes.count) WAL senders take base backups or have") yet to begin (pid \(list)): if a run that was killed has left \(isOne ? "it, it ends" : "them, they end") with the checkpoint that the server makes, or with SELECT pg_terminate_backend(pid);"
    }

    static let raise =
        "Raise max_wal_senders on the primary (restart needed); a backup that streams WAL takes two. It must not be 0, and wal_level must be replica"
}
