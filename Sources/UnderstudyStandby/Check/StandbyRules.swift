import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyWAL

/// Whether a standby follows: pure.
extension ServerReading {
    /// - Parameters:
    ///   - primary: What the primary told; nil if it is not checked, or could not be reached.
    ///   - position: The end of the primary's WAL, read after the standby's positions.
    func standbyFindings(
        primary: ServerReading?, position: LSN?, _ options: ReplicationCheck.Options
    ) -> [Finding] {
        guard isInRecovery != false else { return [isNoStandby(primary)] }
        guard situation != nil else {
            var findings = [sqlFinding]
            if isInRecovery == true { findings.insert(isStandbyFinding, at: 0) }
            return findings + limitFindings(primary)
        }
        var findings = [isStandbyFinding, finding("hot_standby", found: "on, answers queries", wanted: "on")]
        findings += [receiverFinding(options), pauseFinding].compactMap { $0 } + limitFindings(primary)
        return findings + lagFindings(primary, position, options)
    }

    private var isStandbyFinding: Finding { finding("recovery", found: "in recovery", wanted: "in recovery") }

    private func isNoStandby(_ primary: ServerReading?) -> Finding {
        let own = timeline.map { "timeline \($0)" } ?? "a timeline that is not known"
        var message = "the server that was given as standby, \(place), is no standby: it is not in recovery"
        var found = "not in recovery, on \(own)"
        // Nobody is told to clone over the primary that was given in the wrong place.
        if primary?.isInRecovery == true {
            return finding("recovery", .error, found: found, wanted: "in recovery", message: message)
        }
        var cure: Remedy =
            "If it is to be a standby, stop it, and clone its primary into its directory with \(.updateExisting), which fetches only what differs."
        if let primary, let system, system == primary.system, primary.isInRecovery == false, let timeline,
            let newer = primary.timeline, timeline != newer
        {
            let age = timeline < newer ? "older" : "newer"
            message += ", and on the \(age) timeline \(timeline), where the primary is on \(newer)"
            found = "not in recovery, on the \(age) timeline \(timeline)"
            cure =
                timeline < newer
                ? "It is an old primary: nobody may write to it. Stop it at once, and clone the new primary into its directory with \(.updateExisting), which fetches only what differs."
                : "The server that was given as primary is the old one: stop it at once, and clone this one into its directory with \(.updateExisting)."
        }
        return finding(
            "recovery", .error, found: found, wanted: "in recovery", message: message, cure: cure)
    }

    // MARK: - The receiver

    private func receiverFinding(_ options: ReplicationCheck.Options) -> Finding {
        guard let hasReceiver else {
            return unknown(
                "wal_receiver",
                version.hasReceiverView
                    ? "the server did not tell of its WAL receiver"
                    : "server version \(version) does not tell of its WAL receiver",
                wanted: "streaming", cure: "Ask the primary: SELECT * FROM pg_stat_replication;")
        }
        guard hasReceiver else {
            return finding(
                "wal_receiver", .error, found: "not running", wanted: "streaming",
                message: "the standby receives no WAL: its WAL receiver does not run",
                cure:
                    "Its log says why. Check primary_conninfo and primary_slot_name, and that the primary lets it in; a standby that takes WAL from an archive alone has none."
            )
        }
        guard let receiver, let status = receiver.status else {
            return unknown("wal_receiver", "the role may not see its state", wanted: "streaming", cure: grant)
        }
        let source = receiver.host.map { " from \"\($0)\", port \(receiver.port ?? "")" } ?? ""
        let slot = receiver.slot.flatMap { $0.isEmpty ? nil : ", slot \"\($0)\"" } ?? ""
        guard status == "streaming" else {
            return finding(
                "wal_receiver", .error, found: "\(status)\(source)\(slot)", wanted: "streaming",
                message: "the WAL receiver does not stream",
                cure: "The standby's log says what it waits for, often the primary or a timeline that it cannot find.")
        }
        let found = "streaming\(source)\(slot)"
        // A primary says each half of its wal_sender_timeout that it is there.
        if let silence = receiver.silence, silence > Quantity.seconds(options.mostLag) {
            return finding(
                "wal_receiver", .warning, found: "\(found), silent", wanted: "streaming",
                message: "the primary has said nothing for \(Self.time(silence))",
                cure:
                    "Look at the network between both, and at wal_receiver_timeout of the standby, which ends such a connection.",
                seconds: silence)
        }
        return finding("wal_receiver", found: found, wanted: "streaming")
    }

    private var pauseFinding: Finding? {
        guard replay?.isPaused == true else { return nil }
        return finding(
            "replay", .warning, found: "paused", wanted: "running", message: "the standby has paused its replay",
            cure:
                "If it did not pause at a recovery target or for a setting that is too low (its log says so): SELECT \(version.walNames.resumeReplay)();"
        )
    }

    // MARK: - Settings

    /// What must not be lower than on the primary.
    private func limitFindings(_ primary: ServerReading?) -> [Finding] {
        guard let primary, primary.isInRecovery != true else { return [] }
        let names = StandbyLimits.defaults(version.number).map(\.name)
        var needed: [String: Int] = [:]
        for name in names where settings.number(name) != nil { needed[name] = primary.settings.number(name) }
        let shortfalls = StandbyLimits.shortfalls(primary: needed, version: version.number) { settings.number($0) }
        return names.compactMap { name in
            guard let found = settings.number(name), let least = needed[name] else {
                // Without SQL on both, that is said once.
                guard situation != nil, primary.situation != nil else { return nil }
                return unknown(name, "a role may not see the setting", cure: grant)
            }
            let wanted = "\(least) or more, as on the primary"
            guard let shortfall = shortfalls.first(where: { $0.name == name }) else {
                return finding(name, found: "\(found)", wanted: wanted)
            }
            return finding(
                name, .error, found: "\(found)", wanted: wanted, message: shortfall.message(),
                cure: Remedy(PrimaryHint.set([name: "\(least)"], on: version.number, server: "standby")))
        }
    }

    // MARK: - Lags

    private func lagFindings(
        _ primary: ServerReading?, _ position: LSN?, _ options: ReplicationCheck.Options
    ) -> [Finding] {
        guard let replay else { return [] }
        let sender = primary.flatMap(sender(in:))
        let received = receiver?.written ?? replay.received
        guard let position else {
            // What it has not received, only the primary can tell.
            return [
                lag("replay_lag", behind(replay.replayed, replay.received), replay.isIdle ? 0 : replay.age, options)
            ].compactMap { $0 }
        }
        let age = behind(replay.replayed, position) == 0 ? 0 : replay.age
        return [
            lag("receive_lag", behind(received, position), sender?.writeLag, options),
            lag("flush_lag", behind(replay.received, position), sender?.flushLag, options),
            lag("replay_lag", behind(replay.replayed, position), sender?.replayLag ?? age, options),
        ].compactMap { $0 }
    }

    private func behind(_ position: LSN?, _ end: LSN?) -> UInt64? {
        guard let position, let end else { return nil }
        return position.distance(to: end) ?? 0
    }

    private func lag(
        _ name: String, _ bytes: UInt64?, _ seconds: Double?, _ options: ReplicationCheck.Options
    ) -> Finding? {
        guard let bytes else { return nil }
        var found = Quantity.bytes(bytes)
        if let seconds { found += ", \(Self.time(seconds))" }
        // Old commits of an idle primary are no lag.
        let flaw = Self.lagFlaw(bytes, bytes == 0 ? nil : seconds, options)
        return finding(
            name, flaw == nil ? .ok : .warning, found: found, wanted: Self.wantedLag(options),
            message: flaw, cure: flaw == nil ? nil : Self.lagCure, bytes: bytes, seconds: seconds)
    }

    /// The primary's WAL sender of this standby: by the slot, or because there is one only.
    private func sender(in primary: ServerReading) -> CheckSQL.Sender? {
        let streams = primary.senders?.filter(\.isStream) ?? []
        if let slot = receiver?.slot, !slot.isEmpty { return streams.first { $0.slot == slot } }
        return streams.count == 1 ? streams[0] : nil
    }
}

extension CheckSQL.Replay {
    /// Whether all that was received is replayed.
    fileprivate var isIdle: Bool { received != nil && received == replayed }
}
