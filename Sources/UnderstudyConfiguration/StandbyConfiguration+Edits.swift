/// What is written for a copy that was just made.
extension StandbyConfiguration {
    /// The changes, in the order in which to make them. The file that makes the server a standby comes last, so that a
    /// copy never becomes a standby without a primary.
    public var edits: [FileEdit] {
        let facts = ConfigurationFacts(serverVersion: serverVersion)
        var edits: [FileEdit] = []
        var settings = serverSettings(facts)
        if !facts.usesRecoveryConf { settings = recoverySettings(facts) + settings }
        if !settings.isEmpty {
            // The last line of the file may lack its newline.
            let content = "\n" + Self.lines(settings)
            switch facts.autoConf {
            case .read: edits.append(FileEdit(name: FileName.autoConf, content: content, kind: .append))
            case .none: edits.append(FileEdit(name: FileName.mainConf, content: content, kind: .appendIfPresent))
            }
        }
        if facts.usesRecoveryConf {
            edits.append(
                FileEdit(name: FileName.recoveryConf, content: Self.lines(recoverySettings(facts)), kind: .create))
        } else {
            edits.append(FileEdit(name: signalFile, content: "", kind: .create))
        }
        return edits
    }

    /// The files of a data directory that hold recovery settings.
    package enum FileName {
        package static let autoConf = "postgresql.auto.conf"
        package static let mainConf = "postgresql.conf"
        package static let recoveryConf = "recovery.conf"
        package static let standbySignal = "standby.signal"
        package static let recoverySignal = "recovery.signal"
    }

    /// The file whose presence chooses the mode from 12.
    var signalFile: String { mode == .standby ? FileName.standbySignal : FileName.recoverySignal }

    private static func lines(_ settings: [Setting]) -> String {
        settings.map { ConfigurationText.line($0.name, $0.value) }.joined()
    }

    // MARK: - The settings

    /// All that are written.
    package var allSettings: [Setting] {
        let facts = ConfigurationFacts(serverVersion: serverVersion)
        return recoverySettings(facts) + serverSettings(facts)
    }

    /// Those of recovery, in the order in which they are written: before 12 all that is in recovery.conf.
    func recoverySettings(_ facts: ConfigurationFacts) -> [Setting] {
        var settings: [Setting] = []
        func set(_ name: String, _ value: String?) {
            if let value { settings.append(Setting(name, value)) }
        }
        if facts.usesRecoveryConf, mode == .standby { set("standby_mode", "on") }
        set("primary_conninfo", primaryConnInfo)
        if facts.hasSlots {
            // A primary that was once a standby still has its own slot's name in the file.
            set("primary_slot_name", slotName ?? (!facts.usesRecoveryConf && resetsSlotName ? "" : nil))
        }
        if let timeline {
            // Before 12 the timeline of the backup has no word, but is the default.
            if timeline != .current || !facts.usesRecoveryConf { set("recovery_target_timeline", "\(timeline)") }
        } else if followsLatestTimeline {
            set("recovery_target_timeline", "latest")
        }
        let target = recoveryTarget?.settings(serverVersion: serverVersion) ?? []
        if resetsRecoveryTarget && !facts.usesRecoveryConf {
            // Reset all of them or none: an empty value overrides another target only together with the others.
            for name in CopiedSettings.recoveryTargets where name != target.first?.name { set(name, "") }
        }
        set("restore_command", restoreCommand)
        set("archive_cleanup_command", archiveCleanupCommand)
        set("recovery_end_command", recoveryEndCommand)
        if facts.hasSlots { set("recovery_min_apply_delay", minApplyDelay) }
        if let name = RecoverySetting.promotionTrigger(serverVersion) { set(name, triggerFile) }
        // Behind the empty ones: the server refuses an empty target after another one.
        settings += target
        if facts.usesRecoveryConf { settings += ownSettings { RecoverySetting.belongsInRecoveryConf($0) } }
        return settings
    }

    /// Those that all servers have.
    func serverSettings(_ facts: ConfigurationFacts) -> [Setting] {
        var settings: [Setting] = []
        if hotStandby { settings.append(Setting("hot_standby", "on")) }
        if let port { settings.append(Setting("port", "\(port)")) }
        return settings + ownSettings { !facts.usesRecoveryConf || !RecoverySetting.belongsInRecoveryConf($0) }
    }

    private func ownSettings(where belongs: (String) -> Bool) -> [Setting] {
        settings.filter { belongs($0.name.lowercased()) }
    }
}
