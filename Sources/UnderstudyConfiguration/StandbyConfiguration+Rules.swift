/// What a server of the version would not read, or would read as something else.
extension StandbyConfiguration {
    /// Refuses settings that the server does not have, values that it would refuse at its start, and those that its files
    /// cannot hold.
    package func check() throws(Finding) {
        for name in removedSettings { try Self.checkName(name) }
        for setting in settings {
            try Self.checkName(setting.name)
            try checkVersion(of: setting.name.lowercased())
        }
        let facts = ConfigurationFacts(serverVersion: serverVersion)
        if slotName != nil, !facts.hasSlots { throw absent("replication slots", since: "9.4") }
        for setting in recoverySettings(facts) + serverSettings(facts) { try Self.checkValue(setting, facts) }
        try checkMode(facts)
        if let minApplyDelay { try checkDelay(minApplyDelay, facts) }
        try checkTarget()
    }

    private var versionText: String {
        serverVersion >= 100_000
            ? "\(serverVersion / 10_000)" : "\(serverVersion / 10_000).\(serverVersion / 100 % 100)"
    }

    private func absent(_ what: String, since: String) -> Finding {
        Finding("version \(versionText) has no \(what), which came with \(since)", hint: "Leave it out.")
    }

    private static func checkName(_ name: String) throws(Finding) {
        guard ConfigurationLine.isName(name), !ConfigurationLine.isDirective(name.lowercased()) else {
            throw Finding(
                "\"\(name)\" is not the name of a setting",
                hint: "Names consist of letters, digits and underscores, with a dot for those of extensions.")
        }
    }

    private func checkVersion(of name: String) throws(Finding) {
        guard RecoverySetting.isKnown(name, serverVersion: serverVersion) == false else { return }
        throw Finding(
            "version \(versionText) has no setting \"\(name)\"",
            detail: "A server does not start with a setting that it does not know.")
    }

    private static func checkValue(_ setting: Setting, _ facts: ConfigurationFacts) throws(Finding) {
        if setting.value.utf8.contains(0) {
            throw Finding("the value of \(setting.name) has a zero byte", hint: "No configuration file can hold one.")
        }
        // ALTER SYSTEM reads the escape for one, and writes the line end itself, with which no server starts.
        if facts.autoConf == .read, setting.value.utf8.contains(UInt8(ascii: "\n")) {
            throw Finding(
                "the value of \(setting.name) has a line end",
                detail: "The next ALTER SYSTEM would write it so that the server does not start any more.",
                hint: "Write it on one line; a command can be a script.")
        }
    }

    private func checkMode(_ facts: ConfigurationFacts) throws(Finding) {
        if triggerFile != nil, RecoverySetting.promotionTrigger(serverVersion) == nil {
            throw Finding(
                "version \(versionText) has no file whose appearance promotes a standby",
                hint: "Promote it with pg_ctl promote, or by SQL: SELECT pg_promote();")
        }
        if minApplyDelay != nil, !facts.hasSlots { throw absent("recovery_min_apply_delay", since: "9.4") }
        guard mode == .recovery else { return }
        if primaryConnInfo != nil {
            throw Finding(
                "a recovery that ends by itself connects to no primary",
                hint: "Leave the primary out, or make it a standby, which may stop at a target, too.")
        }
        if triggerFile != nil { throw Finding("only a standby is promoted by a file that appears") }
    }

    /// Source: GUC_UNIT_MS of guc.c. The server takes whole numbers before 12, and the unit us from 12.
    private func checkDelay(_ text: String, _ facts: ConfigurationFacts) throws(Finding) {
        let trimmed = text.drop { $0 == " " }
        let digits = trimmed.prefix { ("0"..."9").contains($0) || (!facts.usesRecoveryConf && $0 == ".") }
        var unit = trimmed[digits.endIndex...].drop { $0 == " " }
        while unit.last == " " { unit.removeLast() }
        let units: [Substring: Double] = [
            "": 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000,
            "us": facts.usesRecoveryConf ? .nan : 0.001,
        ]
        guard let number = Double(digits), let factor = units[unit], !factor.isNaN else {
            throw Finding(
                "invalid delay \"\(text)\"",
                hint:
                    "Give a number with one of the units ms, s, min, h and d, such as 1h; without one, of milliseconds."
            )
        }
        guard number * factor <= Double(Int32.max) else {
            throw Finding("delay \"\(text)\" is too long", detail: "A standby waits for at most 24 days.")
        }
    }

    // MARK: - The target

    private static let longestName = 63
    /// Words that the server refuses, since they would mean another moment at each start.
    private static let movingTimes = ["now", "today", "tomorrow", "yesterday"]

    private func checkTarget() throws(Finding) {
        guard let recoveryTarget else { return }
        var takesInclusive = true
        switch recoveryTarget.place {
        case .immediate:
            if serverVersion < 90_400 { throw absent("target \"immediate\"", since: "9.4") }
            takesInclusive = false
        case .lsn:
            if serverVersion < 100_000 { throw absent("recovery_target_lsn", since: "10") }
        case .name(let name):
            guard (1...Self.longestName).contains(name.utf8.count) else {
                throw Finding(
                    "\"\(name)\" cannot be the name of a restore point",
                    detail: "It has \(name.utf8.count) bytes, and the server takes 1 to \(Self.longestName).")
            }
            takesInclusive = false
        case .time(let time):
            let word = time.split(separator: " ").first.map { $0.lowercased() } ?? ""
            guard !word.isEmpty, !Self.movingTimes.contains(word) else {
                throw Finding(
                    "\"\(time)\" cannot be a recovery target",
                    hint: "Give a moment with its time zone, such as \"2026-11-28 12:04:00+00\".")
            }
            if RecoveryTime.isImpossible(time) {
                throw Finding(
                    "\"\(time)\" cannot be a recovery target", detail: "There is no such date, or no such time of day.")
            }
        case .transaction(let number):
            guard number != 0 else { throw Finding("transaction 0 cannot be a recovery target") }
        }
        if recoveryTarget.isInclusive != nil, !takesInclusive {
            throw Finding("a target that is a name or \"immediate\" is neither inclusive nor exclusive")
        }
        if recoveryTarget.action == .shutdown, serverVersion < 90_500 {
            throw absent("action \"shutdown\" at a recovery target", since: "9.5")
        }
    }
}
