import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Undoes what a run has made on the server, if it ends before anything was streamed.
extension ArchiverRun {
    /// Bounds the wait for a server that does not answer.
    private static let longestDrop = Duration.seconds(5)

    /// Drops the slot that this run has made: nobody uses it, and it would hold WAL until the server's disk is full.
    func dropUnusedSlot() {
        guard let name = archiver.slot.name, let created = slotTracker.createdOn else { return }
        var parameters = created
        parameters["connect_timeout"] = "5"
        do throws(ConnectionError) {
            // What has ended the run does not end this.
            let session = try Session.connect(
                parameters, kind: .replication, applicationName: Self.applicationName, interrupt: Interrupt(),
                silenceLimit: Self.longestDrop)
            try session.dropSlotOnceFree(name, until: ContinuousClock.now + Self.longestDrop)
            logger.notice(
                "dropped replication slot \"\(name)\", which this run had made and not used",
                metadata: .event(.slotDropped, isOwn: true, ["slot": "\(name)"]))
        } catch  where error.sqlState == "42704" {
            // It is gone.
        } catch {
            logger.warning(
                "could not drop replication slot \"\(name)\", which this run had made and not used: \(error.message)",
                metadata: .event(
                    .slotUnused,
                    [
                        "slot": "\(name)",
                        "hint": "It holds WAL on the server until it is dropped there: \(SlotSQL.drop(name))",
                    ]))
        }
    }
}
