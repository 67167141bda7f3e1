import Glibc
import Logging
import UnderstudyConfiguration
package import UnderstudyConnection
package import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Checks, before the copy, for names and settings that the server or the standby would alter.
extension BackupRun {
    func checkNames(_ session: Session) throws(UnderstudyError) {
        switch options.slot {
        case .none, .temporary: break
        case .existing(let name), .create(let name), .createIfMissing(let name):
            if session.serverVersion.hasSlots { try session.checkSlotName(name) }
        }
        if options.writeRecoverySettings { try checkPrimaryConnInfo(session, passfile: nil) }
    }

    /// For a copy that does not become a standby: only this run uses the name, so a warning is enough.
    func warnOfName(_ session: Session) throws(UnderstudyError) {
        if let flaw = try session.flawOfApplicationName() {
            logger.warning("application_name \"\(flaw.name)\" is not kept as it is: \(flaw.clause)")
        }
    }

    /// Refuses files of the connection that the standby's own user could not read: it would never log in.
    private func checkFiles(_ session: Session) throws(UnderstudyError) {
        guard let owner = options.owner?.fileOwner, owner.user != geteuid() else { return }
        try checkDefaultFiles(session, owner)
        for setting in session.settingsForStandby
        where ["sslcert", "sslkey", "sslrootcert", "sslcrl"].contains(setting.keyword) {
            guard setting.value.isAbsolutePath, !owner.mayRead(setting.value), owner.user != 0,
                FileOwner.ofThisProcess.mayRead(setting.value)
            else { continue }
            let user = userName(owner.user) ?? "\(owner.user)"
            throw UnderstudyError(
                .options, "user \"\(user)\" may not read \"\(setting.value)\", so the standby could not log in",
                detail:
                    "\(setting.keyword) names that file, in the connection string or a variable of the environment.",
                hint:
                    "Put a copy where that user may read it, and name that: install -o \(ShellText.pasted(user)) -m 600 \(ShellText.pasted(setting.value)) FILE"
            )
        }
    }

    /// libpq looks for files in the home of whoever connects, if nothing names others.
    private func checkDefaultFiles(_ session: Session, _ owner: FileOwner) throws(UnderstudyError) {
        guard session.isEncrypted, let own = Account(user: geteuid())?.home, let home = Account(user: owner.user)?.home
        else { return }
        let settings = Dictionary(session.effectiveSettings.map { ($0.keyword, $0.value) }) { $1 }
        func lacks(_ file: String) -> Bool {
            FileOwner.ofThisProcess.mayRead("\(own)/.postgresql/\(file)")
                && !owner.mayRead("\(home)/.postgresql/\(file)")
        }
        let user = userName(owner.user) ?? "\(owner.user)"
        if settings["sslrootcert"] == nil, settings["sslmode"]?.hasPrefix("verify-") == true, lacks("root.crt") {
            throw UnderstudyError(
                .options,
                "the server's certificate was checked with \"\(own)/.postgresql/root.crt\", which user \"\(user)\" does not have, so the standby could not log in",
                hint: "Name a file that this user may read, with sslrootcert.")
        }
        if settings["sslcert"] == nil, lacks("postgresql.crt") {
            logger.warning(
                "if the client certificate \"\(own)/.postgresql/postgresql.crt\" was needed to log in, the standby cannot: user \"\(user)\" does not have it",
                metadata: ["hint": "Name files that this user may read, with sslcert and sslkey."])
        }
    }

    /// Refuses settings that a standby could not keep. For a copy that becomes a standby.
    ///
    /// - Parameter passfile: The password file for the standby.
    package func checkPrimaryConnInfo(_ session: Session, passfile: String?) throws(UnderstudyError) {
        if let flaw = try session.flawOfApplicationName() {
            throw UnderstudyError(
                .options, "application_name \"\(flaw.name)\" would not be kept as it is: \(flaw.clause)",
                hint:
                    "Choose a shorter name of printable ASCII: synchronous_standby_names finds the standby by the name that the server keeps."
            )
        }
        try checkFiles(session)
        let settings = ConnectionSettings(
            session.settingsForStandby.map { ConnectionSettings.Setting($0.keyword, $0.value) })
        let connection = PrimaryConnInfo(
            settings, forServer: session.serverVersion.number, password: session.password,
            readsPassfile: RecoveryFiles.mayRead(settings["passfile"], options.owner),
            dbname: parameters["dbname"], passfile: passfile)
        let length = connection.conninfo.utf8.count
        guard length > NameLimits.longestConnInfo else { return }
        throw UnderstudyError(
            .options,
            "primary_conninfo would have \(length) bytes, and a standby keeps \(NameLimits.longestConnInfo)",
            hint: "Give fewer or shorter settings for the connection: they become the standby's.")
    }
}
