import Logging
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore

/// The connection to a primary as it was given, and what it takes over from the one that the directory has.
struct GivenConnection {
    let source: ConnectionString
    /// The password, if the connection has none.
    let password: String?
    let place: PrimaryConnInfo.PasswordPlace
    let version: Int

    init(
        _ source: ConnectionString, password: String?, in place: PrimaryConnInfo.PasswordPlace, forServer version: Int
    ) {
        self.source = source
        self.password = password.flatMap { $0.isEmpty ? nil : $0 }
        self.place = place
        self.version = version
    }

    /// Without a text the settings change the connection that is there; a text replaces it, but for its password.
    func settings(present: String?, _ logger: Logger) throws(UnderstudyError) -> ConnectionSettings {
        var given = try read(source)
        guard let present else { return given }
        guard let earlier = settings(of: present) else {
            if !source.text.isEmpty { return given }
            throw UnderstudyError(
                .configuration, "the primary_conninfo that is there cannot be read",
                hint: "Give the whole connection, as a connection string.")
        }
        if source.text.isEmpty {
            if given["password"] == nil { given["password"] = password }
            do throws(Finding) { given = try earlier.changed(by: given) } catch {
                throw UnderstudyError(error, .options)
            }
        } else if place == .inline, password == nil {
            given.takePassword(from: earlier)
        }
        warn(of: given.missing(from: earlier), given, logger)
        return given
    }

    /// What the one that is there says in vain, or what was to go, is not missed.
    private func warn(of missing: [String], _ given: ConnectionSettings, _ logger: Logger) {
        var known: Set<String> = ["dbname", "fallback_application_name", "replication"]
        // With a host of its own, the address of another one is to go.
        if source.text.isEmpty { known.insert("hostaddr") }
        if place != .inline || password != nil || given["password"] != nil {
            known.formUnion(["password", "passfile"])
        }
        let names = missing.filter { !known.contains($0) }
        guard !names.isEmpty else { return }
        logger.warning("left out of primary_conninfo, which had it before: \(names.joined(separator: ", "))")
    }

    // MARK: - Reading

    private func settings(of conninfo: String) -> ConnectionSettings? {
        // In its own order, so that what is not changed stays as it is.
        ConnectionSettings(conninfo: conninfo) ?? (try? ConnectionParameters(conninfo)).map { Self.values($0) }
    }

    private static func values(_ parameters: ConnectionParameters) -> ConnectionSettings {
        ConnectionSettings(parameters.settings.map { .init($0.keyword, $0.value) })
    }

    /// Reads it by libpq, but for what the libpq here does not know and that of the server does.
    private func read(_ source: ConnectionString) throws(UnderstudyError) -> ConnectionSettings {
        do throws(UnderstudyError) { return Self.values(try ConnectionParameters(reading: source)) } catch {
            guard var known = ConnectionSettings(conninfo: source.text) else { throw error }
            let newer = known.settings.filter { setting in
                LibpqKeyword.isKnown(setting.keyword, serverVersion: version)
                    && (try? ConnectionParameters("\(setting.keyword)=x")) == nil
            }
            if newer.isEmpty { throw error }
            for setting in newer { known[setting.keyword] = nil }
            var settings = Self.values(
                try ConnectionParameters(reading: ConnectionString(known.conninfo, overrides: source.overrides)))
            for setting in newer { settings[setting.keyword] = setting.value }
            return settings
        }
    }
}
