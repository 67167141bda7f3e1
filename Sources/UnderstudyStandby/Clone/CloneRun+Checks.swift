import Glibc
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// What is refused before anything is copied.
extension CloneRun {
    func checkOptions() throws(UnderstudyError) {
        if options.configFile != nil && options.generateConfig {
            throw UnderstudyError(
                .options, "an existing configuration and a generated one exclude each other",
                remedy: "Give \(.configFile) or \(.generateConfig), not both.")
        }
        if options.start != nil, let character = target.path.first(where: { "\"$`\\".contains($0) }) {
            throw UnderstudyError(
                .target,
                "directory \"\(target.path)\" has a character in its name with which pg_ctl starts no server: \(character)",
                hint: "Choose another name: pg_ctl hands it to a shell.")
        }
        if let port = options.port, !StandbyPort.valid.contains(port) {
            throw UnderstudyError(.options, "port \(port) is out of range", hint: "Choose a port from 1 to 65535.")
        }
        try checkSettings()
        try checkTargetOwner()
        if let file = options.configFile { try checkConfigFile(file) }
        if let log = options.log { try checkLog(absolutePath(log)) }
        if let path = options.passfile {
            try PasswordFile.checkReach(path, owner: options.backup.owner?.fileOwner)
            passwordFile = try PasswordFile(path, owner: options.backup.owner?.fileOwner)
        }
    }

    /// Settings that have an option of their own, which does more than set them.
    private static let settingsWithOption: Set<String> = [
        "primary_conninfo", "primary_slot_name", "port", "standby_mode", "data_directory", "config_file",
    ]

    private func checkSettings() throws(UnderstudyError) {
        for setting in options.settings {
            let name = setting.name.lowercased()
            guard ConfigurationLine.isName(name) else {
                throw UnderstudyError(
                    .options, "\"\(setting.name)\" is not the name of a setting",
                    hint: "Names consist of letters, digits and underscores, with a dot for those of extensions.")
            }
            guard !Self.settingsWithOption.contains(name) else {
                throw UnderstudyError(
                    .options, "\"\(setting.name)\" cannot be set on its own",
                    hint:
                        "It follows from the primary, the slot, the standby's port, the directory and the configuration file."
                )
            }
            guard name != "hot_standby" || options.start == nil || setting.value.lowercased() == "on" else {
                throw UnderstudyError(
                    .options,
                    "a standby with hot_standby = \(setting.value) answers no queries, so a start could not see it",
                    hint: "Leave the setting out, or start the standby yourself.")
            }
            guard name != "restore_command" || options.restoreCommand == nil else {
                throw UnderstudyError(.options, "restore_command is given twice", hint: "Give it once.")
            }
        }
        let values = options.settings.map(\.value) + [options.restoreCommand].compactMap { $0 }
        guard !values.contains(where: { $0.utf8.contains(0) }) else {
            throw UnderstudyError(.options, "a setting has a zero byte", hint: "No configuration file can hold one.")
        }
    }

    /// A server starts in no directory but its own user's, and only root can give one away.
    private func checkTargetOwner() throws(UnderstudyError) {
        guard geteuid() != 0, let place = try? ConfinedDirectory(path: target.path),
            let owner = try? place.modeAndOwner().owner.user, owner != geteuid()
        else { return }
        let user = userName(geteuid()) ?? "\(geteuid())"
        throw UnderstudyError(
            .target,
            "directory \"\(target.path)\" belongs to user \"\(userName(owner) ?? "\(owner)")\", so no server of \"\(user)\" would start in it",
            hint:
                "Name a directory below it, which is then made with the right owner, or as root: chown \(ShellText.pasted(user)) \(ShellText.pasted(target.path))"
        )
    }

    private func checkConfigFile(_ file: String) throws(UnderstudyError) {
        let path = absolutePath(file)
        do throws(FileIOError) {
            let name = RelativePath(path.lastPathComponent)
            _ = try ConfinedDirectory(path: path.parentPath).openFile(name, flags: 0)
            let owner = options.backup.owner?.fileOwner
            if let owner, owner.user != geteuid(), !owner.mayRead(path) {
                throw FileIOError(
                    "user \"\(userName(owner.user) ?? "\(owner.user)")\" could not open file", path, number: EACCES)
            }
        } catch {
            throw UnderstudyError(
                .configuration, error.description,
                hint: "Name a postgresql.conf that exists, for example one that pg_createcluster has made.",
                cause: error)
        }
    }

    private func checkLog(_ path: String) throws(UnderstudyError) {
        do throws(FileIOError) { _ = try ConfinedDirectory(path: path.parentPath) } catch {
            throw UnderstudyError(
                .configuration, error.description, remedy: "Name a file in a directory that exists: \(.serverLog)",
                cause: error)
        }
    }

    // MARK: - The standby's port

    /// Where the standby will listen. Without settings of its own, where its primary does.
    func standbyPort(_ facts: PrimaryFacts, _ session: Session) -> StandbyPort {
        var place = StandbyPort(port: StandbyPort.defaultPort, addresses: StandbyPort.defaultAddresses)
        if let configFile {
            let settings = CopiedSettings(in: target.path, configFile: configFile, hasAutoConf: false)
            if let port = settings["port"].flatMap({ Int($0.value) }) { place.port = port }
            if let addresses = settings["listen_addresses"]?.value { place.addresses = addresses }
        } else {
            // Any role may read these two; before 10 a replication connection cannot.
            func shown(_ name: String) -> String? { version.showsSettings ? try? session.show(name) : nil }
            let told = (facts["port"] ?? shown("port")).flatMap { Int($0) } ?? Int(session.port)
            if let told, StandbyPort.valid.contains(told) { place.port = told }
            if !options.generateConfig {
                place.addresses = facts["listen_addresses"] ?? shown("listen_addresses") ?? place.addresses
            }
        }
        for setting in options.settings where setting.name.lowercased() == "listen_addresses" {
            place.addresses = setting.value
        }
        if let port = options.port { place.port = port }
        return place
    }

    func checkPort(_ place: StandbyPort, _ session: Session) throws(UnderstudyError) {
        // A copied configuration has the primary's socket directory, too.
        let isPrimaryHere = session.host.isAbsolutePath && session.port == "\(place.port)"
        let isCopied = configFile == nil && !options.generateConfig
        guard let used = place.addressInUse() ?? (isPrimaryHere && isCopied ? "port \(place.port)" : nil) else {
            return
        }
        throw UnderstudyError(
            .options, "the standby could not listen on \(used): a server does already",
            remedy: "Give the standby a port of its own: \(.standbyPort)")
    }
}
