import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyProtocol

/// What holds WAL back on a primary, who gets it, and how large the cluster is: pure.
extension ServerReading {
    // MARK: - Slots

    /// Slots that hold WAL back for nobody, or no longer hold it.
    var slotFindings: [Finding] {
        (slots ?? []).compactMap { slot in
            if slot.isLost {
                return finding(
                    "slot", object: slot.name, .warning, found: slot.invalidationReason.map { "lost: \($0)" } ?? "lost",
                    wanted: "in use",
                    message: "replication slot \"\(slot.name)\" serves nobody any more: \(SlotFlaw.lost)",
                    cure: "Drop it, and clone its standby again: \(SlotSQL.drop(slot.name))")
            }
            guard let held = slot.held else { return nil }
            guard !slot.isActive else {
                return finding(
                    "slot", object: slot.name, found: "in use, holds \(Quantity.bytes(held)) back", bytes: held)
            }
            let limit = settings["max_slot_wal_keep_size"].flatMap { $0 == "-1" ? nil : $0 }
            let end = limit.map { " up to max_slot_wal_keep_size, \($0)" } ?? " until the disk is full"
            return finding(
                "slot", object: slot.name, .warning, found: "inactive, holds \(Quantity.bytes(held)) back",
                wanted: "in use",
                message: "replication slot \"\(slot.name)\" is not in use, and holds WAL back\(end)",
                cure: "Start what uses it, or, if nobody does, drop it: \(SlotSQL.drop(slot.name))", bytes: held)
        }
    }

    // MARK: - The archive

    var archiveFindings: [Finding] {
        guard let mode = settings["archive_mode"] else { return [missing("archive_mode")].compactMap { $0 } }
        guard mode != "off" else { return [finding("archive_mode", found: mode)] }
        let command = settings["archive_command"] ?? "", library = settings["archive_library"] ?? ""
        let hasNone = ["", "(disabled)"].contains(command) && library.isEmpty
        guard !hasNone || settings["archive_command"] == nil else {
            return [
                finding(
                    "archive_mode", .warning, found: "\(mode), without an archive_command",
                    message: "WAL is kept until an archive_command takes it",
                    cure: Remedy(
                        "\(PrimaryHint.set(["archive_command": "..."], on: version.number, restart: false)) Or turn archive_mode off."
                    )
                )
            ]
        }
        let on = finding("archive_mode", found: mode)
        guard let archiver else {
            return [
                on,
                unknown(
                    "archiver",
                    version.hasArchiverView
                        ? "the server did not tell whether archive_command works"
                        : "whether archive_command works, server version \(version) does not tell",
                    cure:
                        "Look into the server's log, and for files that end in .ready in \(version.walDirectoryName)/archive_status."
                ),
            ]
        }
        guard archiver.isFailing else {
            return [
                on, finding("archiver", found: "\(archiver.archivedCount) archived, \(archiver.failedCount) failed"),
            ]
        }
        return [
            on,
            finding(
                "archiver", .error,
                found: "failed last with \(archiver.lastFailedWAL ?? "a file")", wanted: "no failure",
                message: "archive_command fails, so the primary keeps all WAL until its disk is full",
                cure: "The server's log says why: mend that. The server tries again by itself."),
        ]
    }

    // MARK: - Size

    var tablespaceFinding: Finding? {
        guard let tablespaces else { return nil }
        guard !tablespaces.isEmpty else { return finding("tablespaces", found: "none") }
        let list = TruncatedList(tablespaces.map { "\"\($0)\"" }).list
        return finding(
            "tablespaces", found: list, wanted: "room for each on the standby, there or where it is mapped to")
    }

    var sizeFinding: Finding? {
        guard let sizes else { return nil }
        var found = Quantity.bytes(sizes.bytes)
        if let rate, rate > 0 {
            let seconds = Double(sizes.bytes) / rate
            found +=
                ", \(Quantity.clock(.seconds(Int64(min(seconds, 1e11).rounded(.up))))) or more to copy at \(Quantity.bytes(UInt64(rate))) a second, as data came over one connection just now; disks may be slower"
        }
        guard sizes.unmeasured == 0 else {
            let which = sizes.unmeasured == 1 ? "1 database" : "\(sizes.unmeasured) databases"
            return finding(
                "size", .unknown, found: "more than \(found)",
                message: "the role may not see the size of \(which)", cure: grant, bytes: sizes.bytes)
        }
        return finding("size", found: found, bytes: sizes.bytes)
    }

    // MARK: - Standbys

    /// Whether commits wait for standbys that are not there.
    var synchronousFinding: Finding? {
        let name = "synchronous_standby_names"
        guard let value = settings[name] else { return missing(name) }
        let names = SynchronousStandbyNames(value)
        guard names.needed > 0 else { return finding(name, found: "none") }
        let wanted = names.needed == 1 ? "1 standby" : "\(names.needed) standbys"
        guard let senders else {
            return unknown(
                name, "whether somebody serves \"\(value)\" is not known", wanted: wanted, cure: refusal?.remedy)
        }
        let candidates = senders.count { names.mayMean($0.applicationName) && ($0.state == nil || $0.isStream) }
        let serving = senders.count { ["sync", "quorum"].contains($0.syncState) }
        if serving >= names.needed { return finding(name, found: "\"\(value)\", served", wanted: wanted) }
        if candidates >= names.needed, senders.contains(where: { $0.state == nil }) {
            return unknown(
                name, "the role may not see whether somebody serves \"\(value)\"", wanted: wanted, cure: grant)
        }
        let waits = !["off", "local"].contains(settings["synchronous_commit"] ?? "on")
        let setting = PrimaryHint.set([name: ""], on: version.number, restart: false)
        return finding(
            name, waits ? .error : .warning,
            found: "\"\(value)\", served by \(serving == 0 ? "nobody" : "\(serving)")", wanted: wanted,
            message: waits
                ? "commits wait for \(wanted), and \(serving == 0 ? "none" : "only \(serving)") of these names streams"
                : "\(serving == 0 ? "no" : "too few") standbys of these names stream, and who turns synchronous_commit on waits",
            cure:
                "Start the standby, with this name as application_name in its primary_conninfo, or have nobody waited for. \(setting)"
        )
    }

    /// How far those are who receive WAL.
    func standbyLags(_ options: ReplicationCheck.Options) -> [Finding] {
        let streams = (senders ?? []).filter { $0.state == nil || $0.isStream }
        if streams.isEmpty, senders != nil { return [finding("standby", found: "none receives WAL")] }
        return streams.map { sender in
            guard let state = sender.state else {
                return unknown("standby", object: sender.label, "the role may not see how far it is", cure: grant)
            }
            let bytes = sender.replayed ?? sender.flushed
            // A client such as a WAL archiver replays nothing, and reports no position for it.
            let what = sender.replayed == nil ? "flush" : "replay"
            var found = "\(state), \(sender.syncState ?? "async")"
            if let bytes { found += ", \(Quantity.bytes(bytes)) to \(what)" }
            let seconds = sender.replayed == nil ? sender.flushLag : sender.replayLag
            if let seconds { found += ", \(Self.time(seconds)) behind" }
            let flaw = Self.lagFlaw(bytes, seconds, options)
            let isBad = state == "catchup" || flaw != nil
            return finding(
                "standby", object: sender.label, isBad ? .warning : .ok, found: found,
                wanted: "streaming, \(Self.wantedLag(options))",
                message: isBad ? flaw ?? "it has not caught up with the primary yet" : nil,
                cure: isBad ? Self.lagCure : nil, bytes: bytes, seconds: seconds)
        }
    }

    static let lagCure: Remedy =
        "Wait until it has caught up. If it does not: look at the network, at the standby's disks, and for queries there that hold up its replay (pg_stat_database_conflicts, max_standby_streaming_delay)."

    static func wantedLag(_ options: ReplicationCheck.Options) -> String {
        "at most \(Quantity.bytes(options.mostLagBytes)) and \(time(Quantity.seconds(options.mostLag))) behind"
    }

    /// Why a lag is too much; nil if it is not.
    static func lagFlaw(_ bytes: UInt64?, _ seconds: Double?, _ options: ReplicationCheck.Options) -> String? {
        if let bytes, bytes > options.mostLagBytes { return "it is \(Quantity.bytes(bytes)) behind" }
        if let seconds, seconds > Quantity.seconds(options.mostLag) { return "it is \(time(seconds)) behind" }
        return nil
    }

    /// `0.012 s`, `75.1 s`.
    static func time(_ seconds: Double) -> String {
        let thousandths = Int((min(seconds, 1e11) * 1000).rounded())
        let rest = "\(thousandths % 1000)"
        guard thousandths < 60_000 else { return "\(thousandths / 1000) s" }
        return "\(thousandths / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest) s"
    }
}
