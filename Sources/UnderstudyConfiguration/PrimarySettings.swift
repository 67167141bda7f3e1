package import UnderstudyWAL

/// What has to be set on a server so that standbys can follow it.
package struct PrimarySettings: Sendable, Equatable {
    /// What was asked for. Values that a server has and that are larger stay.
    package struct Wish: Sendable, Equatable {
        /// nil for a number that leaves room for one more standby and its clone.
        package var maxWALSenders: Int?
        /// The same for a slot.
        package var maxReplicationSlots: Int?
        /// Bytes of WAL to keep; nil to leave that as it is.
        package var walKeep: UInt64?
        /// nil to leave them as they are.
        package var listenAddresses: String?

        package init(
            maxWALSenders: Int? = nil, maxReplicationSlots: Int? = nil, walKeep: UInt64? = nil,
            listenAddresses: String? = nil
        ) {
            self.maxWALSenders = maxWALSenders
            self.maxReplicationSlots = maxReplicationSlots
            self.walKeep = walKeep
            self.listenAddresses = listenAddresses
        }
    }

    /// What a server has.
    package struct Found: Sendable, Equatable {
        /// The value that is in effect, in the setting's unit.
        package var running: String?
        /// The value that its files have, as they write it; nil if they have none, or if it is not known.
        package var configured: String?
        /// Whether it comes from the server's command line or environment, which no file overrides.
        package var isFixed: Bool

        package init(running: String?, configured: String? = nil, isFixed: Bool = false) {
            self.running = running
            self.configured = configured
            self.isFixed = isFixed
        }

        /// The value after the next start.
        package var intended: String? { isFixed ? running : configured ?? running }
    }

    package struct Change: Sendable, Hashable {
        package var name: String
        package var value: String
        /// The value after the next start if nothing were changed.
        package var old: String?
        package var needsRestart: Bool
    }

    package private(set) var changes: [Change] = []
    /// Settings whose files have been changed already, but whose values come into effect with a restart only.
    package private(set) var pending: [String] = []

    /// The settings whose values are needed here.
    package static func names(_ version: Int) -> [String] {
        let facts = ConfigurationFacts(serverVersion: version)
        return ["wal_level", "max_wal_senders"] + (facts.hasSlots ? ["max_replication_slots"] : [])
            + [
                "hot_standby", facts.walKeepSetting, "listen_addresses", "max_connections",
                "superuser_reserved_connections", "max_worker_processes", "autovacuum_max_workers",
                "autovacuum_worker_slots",
            ]
    }

    private let found: [String: Found]

    /// - Parameters:
    ///   - version: As `server_version_num`.
    ///   - sendersInUse: WAL senders that are connected.
    ///   - slotsInUse: Slots that exist.
    /// - Throws: What makes it impossible.
    package init(
        version: Int, found: [String: Found], wish: Wish = Wish(), sendersInUse: Int = 0, slotsInUse: Int = 0,
        segmentSize: WALSegmentSize = .default
    ) throws(Finding) {
        self.found = found
        let facts = ConfigurationFacts(serverVersion: version)
        try want("wal_level", facts.standbyWALLevel) { text in
            WALLevel(rawValue: text)?.allowsHotStandby ?? true
        }
        // A clone takes two senders while it copies, and the standby one.
        let senders = try Self.senders(found, wish, inUse: sendersInUse, facts)
        try want("max_wal_senders", "\(senders.value)") { Int($0).map { $0 >= senders.least } ?? true }
        if facts.hasSlots {
            let slots = Self.number(wish.maxReplicationSlots, needed: slotsInUse + 1)
            try want("max_replication_slots", "\(slots.value)") { Int($0).map { $0 >= slots.least } ?? true }
        }
        try want("hot_standby", "on") { !ServerBoolean.isOff($0) }
        if let bytes = wish.walKeep {
            let unit = version < 130_000 ? segmentSize.bytes : 1 << 20
            let (whole, part) = bytes.quotientAndRemainder(dividingBy: unit)
            let least = whole + (part > 0 ? 1 : 0)
            try want(
                facts.walKeepSetting, version < 130_000 ? "\(least)" : "\(least)MB", needsRestart: false
            ) { text in
                (version < 130_000 ? UInt64(text) : Self.megabytes(text)).map { $0 >= least } ?? false
            }
        }
        if let addresses = wish.listenAddresses { try want("listen_addresses", addresses) { $0 == addresses } }
    }

    private mutating func want(
        _ name: String, _ value: String, needsRestart: Bool = true, unless isEnough: (String) -> Bool
    ) throws(Finding) {
        guard let found = found[name], let intended = found.intended else { return }
        if isEnough(intended) {
            if needsRestart, let running = found.running, !isEnough(running) { pending.append(name) }
            return
        }
        guard !found.isFixed else {
            throw Finding(
                "\(name) of the primary is \(intended), and its command line says so, which no file overrides",
                hint: "Take it off the command line with which the server is started, and restart it.")
        }
        changes.append(Change(name: name, value: value, old: intended, needsRestart: needsRestart))
    }

    /// - Returns: The value to set where there is less than the least.
    private static func number(_ wish: Int?, needed: Int) -> (least: Int, value: Int) {
        (wish ?? needed, wish ?? max(10, needed))
    }

    /// The processes that a server can have at most: MAX_BACKENDS.
    private static let mostBackends = 262_143

    private static func senders(
        _ found: [String: Found], _ wish: Wish, inUse: Int, _ facts: ConfigurationFacts
    ) throws(Finding) -> (least: Int, value: Int) {
        var senders = number(wish.maxWALSenders, needed: inUse + 3)
        func value(_ name: String) -> Int? { found[name]?.intended.flatMap { Int($0) } }
        guard (value("max_wal_senders") ?? 0) < senders.least, let connections = value("max_connections") else {
            return senders
        }
        guard facts.walSendersAreConnections else {
            // From 18 on, the slots count for the workers of autovacuum.
            let workers = max(value("autovacuum_max_workers") ?? 0, value("autovacuum_worker_slots") ?? 0)
            let most = mostBackends - connections - workers - (value("max_worker_processes") ?? 0) - 2
            guard senders.least <= most else {
                throw Finding(
                    "max_wal_senders of the primary cannot become \(senders.least)",
                    detail: "With max_connections = \(connections) and its workers, it has room for \(most).",
                    hint: "Ask for fewer.")
            }
            return senders
        }
        // Before 12, a server with more of them than this does not start.
        let reserved = value("superuser_reserved_connections") ?? 3
        let most = connections - reserved - 1
        guard senders.least <= most else {
            throw Finding(
                "max_wal_senders of the primary cannot become \(senders.least): max_connections is \(connections)",
                detail: "Before 12, WAL senders are among the connections: the server would not start.",
                hint: "Raise max_connections first, by \(senders.least - most) or more.")
        }
        senders.value = min(senders.value, most)
        return senders
    }

    /// A value of wal_keep_size: megabytes, or with a unit.
    private static func megabytes(_ text: String) -> UInt64? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        guard let number = UInt64(digits) else { return nil }
        switch text[digits.endIndex...].filter({ $0 != " " }) {
        case "": return number
        case "B": return number >> 20
        case "kB": return number >> 10
        case "MB": return number
        case "GB": return number.multipliedReportingOverflow(by: 1 << 10).partialValue
        case "TB": return number.multipliedReportingOverflow(by: 1 << 20).partialValue
        default: return nil
        }
    }

    /// Whether a server with this listen_addresses hears nobody but its own machine.
    package static func isLocalOnly(listenAddresses: String) -> Bool {
        listenAddresses.split(separator: ",").allSatisfy { part in
            let name = part.filter { $0 != " " }
            return name.isEmpty || name == "localhost" || HostNetwork(name)?.isLoopback ?? false
        }
    }
}
