import Testing
import UnderstudyConfiguration
import UnderstudyWAL

@Suite("What a primary has to set") struct PrimarySettingsTests {
    /// As initdb of the version leaves a server.
    ///
    /// Source: postgresql.conf.sample and guc.c of each version.
    private func defaults(_ version: Int) -> [String: PrimarySettings.Found] {
        let isOld = version < 100_000
        var values = [
            "wal_level": isOld ? "minimal" : "replica", "max_wal_senders": isOld ? "0" : "10",
            "hot_standby": isOld ? "off" : "on", "listen_addresses": "localhost", "max_connections": "100",
            "superuser_reserved_connections": "3",
        ]
        if version >= 90_400 { values["max_replication_slots"] = isOld ? "0" : "10" }
        values[version < 130_000 ? "wal_keep_segments" : "wal_keep_size"] = "0"
        return values.mapValues { PrimarySettings.Found(running: $0) }
    }

    private func changes(
        _ version: Int, _ change: [String: String] = [:], wish: PrimarySettings.Wish = .init(), senders: Int = 0,
        slots: Int = 0
    ) throws -> [String] {
        var found = defaults(version)
        for (name, value) in change { found[name] = .init(running: value) }
        return try PrimarySettings(
            version: version, found: found, wish: wish, sendersInUse: senders, slotsInUse: slots
        ).changes.map { "\($0.name)=\($0.value)" }
    }

    @Test(arguments: [
        (90_300, ["wal_level=hot_standby", "max_wal_senders=10", "hot_standby=on"]),
        (90_400, ["wal_level=hot_standby", "max_wal_senders=10", "max_replication_slots=10", "hot_standby=on"]),
        (90_500, ["wal_level=hot_standby", "max_wal_senders=10", "max_replication_slots=10", "hot_standby=on"]),
        (90_600, ["wal_level=replica", "max_wal_senders=10", "max_replication_slots=10", "hot_standby=on"]),
        (100_000, []), (110_000, []), (120_000, []), (130_000, []), (180_000, []), (190_000, []),
    ])
    func `is what the defaults of its version lack`(version: Int, expected: [String]) throws {
        #expect(try changes(version) == expected)
    }

    @Test func `is nothing where the level is higher`() throws {
        #expect(try changes(180_000, ["wal_level": "logical"]) == [])
        #expect(try changes(90_500, ["wal_level": "archive"]).contains("wal_level=hot_standby"))
        #expect(
            try changes(180_000, ["wal_level": "minimal", "max_wal_senders": "0"]) == [
                "wal_level=replica", "max_wal_senders=10",
            ])
    }

    @Test func `leaves room for one more standby and its clone, and what was chosen as it is`() throws {
        #expect(try changes(180_000, ["max_wal_senders": "3"]) == [])
        #expect(try changes(180_000, ["max_wal_senders": "3"], senders: 1) == ["max_wal_senders=10"])
        #expect(try changes(180_000, senders: 20) == ["max_wal_senders=23"])
        #expect(try changes(180_000, ["max_replication_slots": "2"], slots: 2) == ["max_replication_slots=10"])
        let wish = PrimarySettings.Wish(maxWALSenders: 5, maxReplicationSlots: 30)
        #expect(try changes(180_000, wish: wish) == ["max_replication_slots=30"])
    }

    @Test func `keeps WAL in the unit of the version`() throws {
        let wish = PrimarySettings.Wish(walKeep: 1 << 30)
        #expect(try changes(120_000, wish: wish) == ["wal_keep_segments=64"])
        #expect(try changes(130_000, wish: wish) == ["wal_keep_size=1024MB"])
        #expect(try changes(130_000, ["wal_keep_size": "2048"], wish: wish) == [])
        #expect(try changes(130_000, wish: .init(walKeep: 1)) == ["wal_keep_size=1MB"])
        let large = try PrimarySettings(
            version: 110_000, found: defaults(110_000), wish: wish,
            segmentSize: try #require(WALSegmentSize(bytes: 1 << 30)))
        #expect(large.changes.map(\.value) == ["1"] && large.changes.allSatisfy { !$0.needsRestart })
    }

    @Test func `does not stop a server before 12, whose senders are connections`() throws {
        let old = ["max_connections": "12"]
        #expect(try changes(110_000, old.merging(["max_wal_senders": "0"]) { $1 }) == ["max_wal_senders=8"])
        #expect(try changes(120_000, old.merging(["max_wal_senders": "0"]) { $1 }) == ["max_wal_senders=10"])
        #expect(throws: Finding.self) { try changes(110_000, old, wish: .init(maxWALSenders: 11)) }
    }

    @Test func `asks for no more processes than a server can have`() throws {
        let workers = ["autovacuum_max_workers": "3", "max_worker_processes": "8"]
        let most = 262_143 - 100 - 3 - 8 - 2
        #expect(
            try changes(180_000, workers, wish: .init(maxWALSenders: most)) == ["max_wal_senders=\(most)"])
        #expect(throws: Finding.self) { try changes(180_000, workers, wish: .init(maxWALSenders: most + 1)) }
        let slots = workers.merging(["autovacuum_worker_slots": "16"]) { $1 }
        #expect(throws: Finding.self) { try changes(180_000, slots, wish: .init(maxWALSenders: most)) }
    }

    @Test func `counts what the files have already, which waits for a restart`() throws {
        var found = defaults(180_000)
        found["wal_level"] = .init(running: "minimal", configured: "replica")
        let settings = try PrimarySettings(version: 180_000, found: found)
        #expect(settings.changes.isEmpty && settings.pending == ["wal_level"])
        // And the other way round: what is right now will not be.
        found["wal_level"] = .init(running: "replica", configured: "minimal")
        #expect(try PrimarySettings(version: 180_000, found: found).changes.map(\.name) == ["wal_level"])
    }

    @Test func `cannot be what the command line fixes`() throws {
        var found = defaults(180_000)
        found["max_wal_senders"] = .init(running: "0", configured: "10", isFixed: true)
        #expect(throws: Finding.self) { try PrimarySettings(version: 180_000, found: found) }
        found["max_wal_senders"] = .init(running: "10", configured: "0", isFixed: true)
        #expect(try PrimarySettings(version: 180_000, found: found).changes.isEmpty)
    }

    @Test(arguments: [
        ("localhost", true), ("127.0.0.1, ::1", true), ("", true), ("*", false), ("localhost,10.0.0.1", false),
        ("0.0.0.0", false), ("db1", false),
    ])
    func `knows which addresses no other machine reaches`(addresses: String, isLocal: Bool) {
        #expect(PrimarySettings.isLocalOnly(listenAddresses: addresses) == isLocal)
    }
}
