import Logging
import UnderstudyBackup
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Facts that only an ordinary connection to the primary provides. They are optional: a role or a pg_hba.conf that
/// allows only replication is enough for a clone.
struct PrimaryFacts: Sendable {
    /// Whether postgresql.conf lies in the data directory; nil if unknown.
    var configurationIsInside: Bool?

    /// - Parameter slot: Refused here if it is logical, in use or lost; an absent slot is no error.
    init(
        _ parameters: ConnectionParameters, version: ServerVersion, slot: String?, interrupt: Interrupt,
        silenceLimit: Duration?, logger: Logger
    ) throws(UnderstudyError) {
        let session: Session
        do throws(ConnectionError) {
            session = try Session.connect(
                parameters, kind: .ordinary(database: OrdinaryConnection.database(parameters)),
                applicationName: "understudy", interrupt: interrupt, silenceLimit: silenceLimit)
        } catch {
            if error.code == .interrupted { throw UnderstudyError(error) }
            logger.info(
                "ordinary connection to the primary is not allowed, so slots and configuration are not looked at: \(error.message)"
            )
            return
        }
        if let slot, version.hasSlots { try Self.checkSlot(slot, session, version) }
        configurationIsInside = Self.askConfiguration(session, logger)
    }

    private static func askConfiguration(_ session: Session, _ logger: Logger) -> Bool? {
        let question = "SELECT current_setting('config_file'), current_setting('data_directory')"
        guard let row = try? session.runForRows(question).rows.first, row.count == 2, let file = row[0],
            let directory = row[1]
        else {
            logger.info("the role may not read where the primary has its configuration (pg_read_all_settings)")
            return nil
        }
        return file.utf8.starts(with: "\(directory)/".utf8)
    }

    private static func checkSlot(_ name: String, _ session: Session, _ version: ServerVersion) throws(UnderstudyError)
    {
        let status = version.reportsSlotWALStatus ? "wal_status" : "NULL"
        let question = """
            SELECT slot_type, active, \(status) FROM pg_catalog.pg_replication_slots WHERE slot_name = \(SQLText.literal(name))
            """
        guard let row = try? session.runForRows(question).rows.first, row.count == 3 else { return }
        var flaw: String?
        if row[0] != "physical" { flaw = "it is a \(row[0] ?? "logical") slot, not a physical one" }
        if row[2] == "lost" { flaw = "the WAL that it needs has been removed" }
        let isActive = row[1] == "t"
        if isActive { flaw = flaw ?? "it is in use" }
        guard let flaw else { return }
        throw UnderstudyError(
            .slot, "cannot use replication slot \"\(name)\": \(flaw)",
            hint: isActive
                ? SlotInUse.hint(name, version)
                : "Choose another name, or drop this slot on the primary: \(SlotSQL.drop(name))"
        )
    }
}
