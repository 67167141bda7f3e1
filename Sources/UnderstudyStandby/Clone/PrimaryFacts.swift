import Logging
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Facts that only an ordinary connection to the primary provides. They are optional: a role or a pg_hba.conf that
/// allows only replication is enough for a clone.
struct PrimaryFacts: Sendable {
    /// Whether postgresql.conf lies in the data directory; nil if unknown.
    var configurationIsInside: Bool?
    /// Whether SQL was allowed.
    private(set) var isAsked = false
    /// The primary's settings by name, as far as they are known.
    private var settings = ServerSettings()

    subscript(name: String) -> String? { settings[name] }

    /// Whether postgresql.auto.conf, which comes along, has the setting; nil if that is not known.
    func comesAlong(_ name: String) -> Bool? { settings.file(name).map { $0.hasSuffix("/postgresql.auto.conf") } }

    /// - Parameter slot: Refused here if it is logical, in use or lost; an absent slot is no error.
    init(
        _ parameters: ConnectionParameters, version: ServerVersion, slot: String?, interrupt: Interrupt,
        access: QueryAccess, logger: Logger
    ) throws(UnderstudyError) {
        let session: Session
        do throws(ConnectionError) {
            session = try OrdinaryConnection.open(parameters, interrupt, access)
        } catch {
            if error.code == .interrupted { throw UnderstudyError(error) }
            logger.info(
                "ordinary connection to the primary is not allowed, so slots and configuration are not looked at: \(error.message)"
            )
            return
        }
        if let slot, version.hasSlots { try Self.checkSlot(slot, session, version) }
        isAsked = true
        settings = ServerSettings(Self.names + StandbyLimits.defaults(version.number).map(\.name), session)
        if let level = self["wal_level"] { try Self.checkWALLevel(level, version) }
        configurationIsInside = Self.isInside(self["config_file"], self["data_directory"])
    }

    private static let names = [
        "wal_level", "config_file", "data_directory", "port", "listen_addresses", "cluster_name", "log_directory",
    ]

    /// Before 10 a replication connection does not tell this.
    private static func checkWALLevel(_ text: String, _ version: ServerVersion) throws(UnderstudyError) {
        let findings = Preflight.walLevel(text, serverVersion: version.number)
        if let finding = findings.first { throw UnderstudyError(finding, .configuration) }
    }

    private static func isInside(_ file: String?, _ directory: String?) -> Bool? {
        guard let file, let directory else { return nil }
        return file.utf8.starts(with: "\(directory)/".utf8)
    }

    private static func checkSlot(_ name: String, _ session: Session, _ version: ServerVersion) throws(UnderstudyError)
    {
        let status = version.reportsSlotWALStatus ? "wal_status" : "NULL"
        let question = """
            SELECT slot_type, active, \(status) FROM pg_catalog.pg_replication_slots WHERE slot_name = \(SQLText.literal(name))
            """
        guard let row = try? session.runForRows(question).rows.first, row.count == 3 else { return }
        if row[0] != "physical" { throw .notPhysical(slot: name, kind: row[0] ?? "logical") }
        var flaw: String?
        if row[2] == "lost" { flaw = SlotFlaw.lost }
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
