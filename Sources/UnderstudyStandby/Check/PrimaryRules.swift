import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyProtocol

/// What a primary has to be like for a standby: pure.
extension ServerReading {
    typealias Finding = ReplicationCheck.Finding

    func primaryFindings(_ options: ReplicationCheck.Options) -> [Finding] {
        guard isInRecovery != true else { return [isStandby] }
        var findings = [isPrimary, roleFinding, replicationFinding]
        if situation == nil { findings.append(sqlFinding) }
        findings += hostRuleFindings
        findings += [walLevel, sendersLeft, slotsLeft].compactMap { $0 }
        findings += slotFindings + archiveFindings
        findings += [walKeep, checksums, fullPageWrites, tablespaceFinding, sizeFinding, synchronousFinding].compactMap
        { $0 }
        return findings + standbyLags(options)
    }

    // MARK: - The server and the role

    private var isPrimary: Finding {
        isInRecovery == nil
            ? unknown(
                "recovery", "whether the server is a primary only SQL can tell", wanted: "a primary",
                cure: refusal?.remedy)
            : finding("recovery", found: "a primary", wanted: "a primary")
    }

    private var isStandby: Finding {
        let source = receiver?.host.map { " Its WAL comes from \"\($0)\", port \(receiver?.port ?? "")." } ?? ""
        return finding(
            "recovery", .error, found: "in recovery", wanted: "a primary",
            message: "the server that was given as primary, \(place), is a standby",
            cure: "Name the primary.\(source)")
    }

    private var roleFinding: Finding {
        guard let situation else {
            return replicationRefusal == nil
                ? finding("role", found: "may replicate", wanted: "REPLICATION")
                : unknown("role", "what the role may do is not known", wanted: "REPLICATION", cure: refusal?.remedy)
        }
        let role = "\"\(situation.role)\""
        guard situation.mayReplicate else {
            return finding(
                "role", .error, found: "\(role) may not replicate", wanted: "REPLICATION",
                message: "role \(role) may not replicate", cure: Remedy(LoginHint.allowReplication(situation.role)))
        }
        return finding(
            "role", found: "\(role) may replicate\(situation.isSuperuser ? ", as a superuser" : "")",
            wanted: "REPLICATION")
    }

    private var replicationFinding: Finding {
        guard situation?.mayReplicate != false else {
            return unknown(
                "replication_connection", "not tried, since the role may not replicate", wanted: "accepted",
                cure: Remedy(LoginHint.allowReplication(situation?.role)))
        }
        guard let error = replicationRefusal else {
            return finding("replication_connection", found: "accepted from here", wanted: "accepted")
        }
        return finding(
            "replication_connection", .error, found: "refused", wanted: "accepted", message: error.message,
            cure: error.remedy)
    }

    var sqlFinding: Finding {
        unknown(
            "sql",
            "no ordinary connection was allowed, so all that needs SQL is not known: \(refusal?.message ?? "refused")",
            cure: refusal?.remedy)
    }

    /// What the role may see of the file. Whether a line lets in the standby, its own attempt tells, and
    /// ``replicationFinding`` for this machine.
    private var hostRuleFindings: [Finding] {
        guard let situation, version.hasHostRulesView else { return [] }
        guard let hostRules else {
            guard !situation.seesHostRules else {
                return [unknown("pg_hba", "the server did not show how it reads pg_hba.conf", cure: nil)]
            }
            let role = LoginHint.identifier(situation.role)
            return [
                unknown(
                    "pg_hba", "the role may not see how the server reads pg_hba.conf",
                    cure:
                        "As a superuser: GRANT SELECT ON pg_hba_file_rules TO \(role); GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO \(role);"
                )
            ]
        }
        guard hostRules.errors.isEmpty else {
            return hostRules.errors.map { line, reason in
                finding(
                    "pg_hba", object: "line \(line)", .error, found: "cannot be read", wanted: "no errors",
                    message:
                        "the server cannot read line \(line) of pg_hba.conf, so it keeps to an older state of it: \(reason)",
                    cure: "Mend the line (SHOW hba_file; names the file), then: SELECT pg_reload_conf();")
            }
        }
        let count = hostRules.replicationLines
        return [
            finding(
                "pg_hba", count == 0 ? .warning : .ok,
                found: count == 1 ? "1 line for replication" : "\(count) lines for replication",
                wanted: "a line for the standby",
                message: count == 0 ? "pg_hba.conf has no line that lets in a standby" : nil,
                cure: count == 0
                    ? "Put a line such as \"host  replication  \(LoginHint.identifier(situation.role))  ADDRESS/32  \(ConfigurationFacts(serverVersion: version.number).passwordMethod)\" at the top of pg_hba.conf (SHOW hba_file; names it), then: SELECT pg_reload_conf();"
                    : nil)
        ]
    }

    // MARK: - Settings

    /// A setting of which nothing is known; nil where SQL is not allowed, which ``sqlFinding`` says.
    func missing(_ name: String) -> Finding? {
        situation == nil ? nil : unknown(name, "the role may not see the setting", cure: settingsGrant)
    }

    private var settingsGrant: Remedy {
        version.hasMonitorRoles
            ? "As a superuser: GRANT pg_read_all_settings TO \(LoginHint.identifier(situation?.role));"
            : "Ask as a superuser."
    }

    private var walLevel: Finding? {
        guard let level = settings["wal_level"] else { return missing("wal_level") }
        let wanted = "\(ConfigurationFacts(serverVersion: version.number).standbyWALLevel) or logical"
        guard let flaw = Preflight.walLevel(level, serverVersion: version.number).first else {
            return finding("wal_level", found: level, wanted: wanted)
        }
        return finding(
            "wal_level", .error, found: level, wanted: wanted, message: flaw.message,
            cure: flaw.hint.map { Remedy($0) })
    }

    /// Whether a standby streams already: then what another one would lack is a warning only.
    private var hasStandby: Bool { senders?.contains(where: \.isStream) ?? false }

    /// A clone takes two at a time, its standby one.
    private var sendersLeft: Finding? {
        guard let limit = settings.number("max_wal_senders") else { return missing("max_wal_senders") }
        guard let senders else {
            return unknown(
                "max_wal_senders", "max_wal_senders is \(limit), and how many are in use is not known",
                wanted: "2 or more left", cure: refusal?.remedy ?? grant)
        }
        let left = max(0, limit - senders.count)
        let found = "\(left) of \(limit) left"
        guard left < 2 else { return finding("max_wal_senders", found: found, wanted: "2 or more left") }
        return finding(
            "max_wal_senders", hasStandby ? .warning : .error, found: found, wanted: "2 or more left",
            message: left == 0
                ? "no WAL sender is left for another standby" : "only 1 WAL sender is left, and a clone takes two",
            cure: Remedy(PrimaryHint.raiseWALSenders(limit, on: version.number)))
    }

    private var slotsLeft: Finding? {
        guard version.hasSlots else {
            return finding("max_replication_slots", found: "server version \(version) has no replication slots")
        }
        guard let limit = settings.number("max_replication_slots") else { return missing("max_replication_slots") }
        guard let slots else {
            return unknown(
                "max_replication_slots", "max_replication_slots is \(limit), and how many are in use is not known",
                wanted: "1 or more left", cure: refusal?.remedy ?? grant)
        }
        let left = max(0, limit - slots.count)
        return finding(
            "max_replication_slots", left == 0 ? .warning : .ok, found: "\(left) of \(limit) left",
            wanted: "1 or more left",
            message: left == 0 ? "no replication slot is left for another standby" : nil,
            cure: left == 0 ? Remedy(PrimaryHint.raiseSlots(version.number)) : nil)
    }

    /// What keeps WAL for a standby while it is away.
    private var walKeep: Finding? {
        let name = ConfigurationFacts(serverVersion: version.number).walKeepSetting
        guard let value = settings[name] else { return missing(name) }
        guard (Int(value.prefix { $0.isNumber }) ?? 0) == 0 else { return finding(name, found: value) }
        let bare = version.showsSlotProcess ? senders?.filter { $0.isStream && $0.slot == nil } ?? [] : []
        let cannotHold = !version.hasSlots || settings.number("max_replication_slots") == 0
        guard cannotHold || !bare.isEmpty else {
            return finding(name, found: "\(value), so slots alone keep WAL", wanted: "a slot for each standby")
        }
        let whose = bare.isEmpty ? "a standby" : TruncatedList(bare.map(\.label)).list
        return finding(
            name, .warning, found: value, wanted: version.hasSlots ? "more, or a slot for each standby" : "more",
            message: "nothing keeps WAL for \(whose) without a slot while it is away",
            cure: Remedy(PrimaryHint.keepWAL(version.number)))
    }

    private var checksums: Finding? {
        guard let value = settings["data_checksums"] else { return missing("data_checksums") }
        guard value == "off" else { return finding("data_checksums", found: value, wanted: "on") }
        return finding(
            "data_checksums", .warning, found: value, wanted: "on",
            message: "a damaged page is copied to standbys unseen",
            cure: version.enablesChecksums
                ? "Stop all servers of the cluster, and run on each: pg_checksums -e -D DIRECTORY"
                : "Only a new cluster gets them: initdb with data checksums, then dump and restore.")
    }

    private var fullPageWrites: Finding? {
        guard let value = settings["full_page_writes"] else { return missing("full_page_writes") }
        guard value == "off" else { return finding("full_page_writes", found: value, wanted: "on") }
        return finding(
            "full_page_writes", .warning, found: value, wanted: "on",
            message: "a crash can leave pages that are torn, and no base backup can be taken from a standby",
            cure: Remedy(PrimaryHint.set(["full_page_writes": "on"], on: version.number, restart: false)))
    }
}

extension CheckSQL.Sender {
    /// How it is called: by its name, and where it is.
    var label: String {
        let name = applicationName.isEmpty ? "PID \(processID)" : "\"\(applicationName)\""
        return address.map { "\(name) at \($0)" } ?? name
    }
}
