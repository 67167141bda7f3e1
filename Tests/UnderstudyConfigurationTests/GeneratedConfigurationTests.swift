import Testing
import UnderstudyConfiguration
import UnderstudyWAL

@Suite struct GeneratedConfigurationTests {
    static func controlFile(maxConnections: Int = 115, maxWALSenders: Int? = 3) -> ControlFile {
        ControlFile(
            systemIdentifier: 1, version: 1300, catalogVersion: 1, state: .inProduction, walLevel: .replica,
            walLogHints: true, maxConnections: maxConnections, maxWorkerProcesses: 215, maxWALSenders: maxWALSenders,
            maxPreparedTransactions: 415, maxLocksPerTransaction: 515, trackCommitTimestamp: false, blockSize: 8192,
            walSegmentSize: .default, dataChecksumVersion: 0)
    }

    static func lines(_ text: String) -> [String] {
        text.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
    }

    @Test("postgresql.conf has what a standby may not have lower than its primary")
    func postgresqlConf() {
        var configuration = GeneratedConfiguration(serverVersion: 150_018, controlFile: Self.controlFile())
        configuration.port = 5433
        #expect(
            Self.lines(configuration.postgresqlConf) == [
                "port = '5433'", "shared_buffers = '128MB'", "hot_standby = 'on'", "max_connections = '115'",
                "max_prepared_transactions = '415'", "max_locks_per_transaction = '515'",
                "max_worker_processes = '215'", "max_wal_senders = '3'", "wal_level = 'replica'",
                "max_replication_slots = '10'", "wal_log_hints = 'on'",
            ])
    }

    @Test("an old server gets no setting that it does not know, and senders that fit its connections")
    func old() {
        var file = Self.controlFile(maxConnections: 10, maxWALSenders: nil)
        file.maxWorkerProcesses = nil
        file.walLogHints = nil
        file.trackCommitTimestamp = nil
        file.walLevel = .hotStandby
        let configuration = GeneratedConfiguration(serverVersion: 90_325, controlFile: file)
        #expect(
            Self.lines(configuration.postgresqlConf) == [
                "shared_buffers = '128MB'", "hot_standby = 'on'", "max_connections = '10'",
                "max_prepared_transactions = '415'", "max_locks_per_transaction = '515'", "wal_level = 'hot_standby'",
                "max_wal_senders = '6'",
            ])
    }

    @Test(
        "pg_hba.conf asks for passwords as the version can", arguments: [(139_999, "md5"), (140_000, "scram-sha-256")])
    func hba(serverVersion: Int, method: String) {
        let configuration = GeneratedConfiguration(serverVersion: serverVersion, controlFile: Self.controlFile())
        #expect(
            Self.lines(configuration.hbaConf) == [
                "local all all peer", "host all all 127.0.0.1/32 \(method)", "host all all ::1/128 \(method)",
                "local replication all peer", "host replication all 127.0.0.1/32 \(method)",
                "host replication all ::1/128 \(method)",
            ])
    }

    @Test("three files are made")
    func files() {
        let files = GeneratedConfiguration(serverVersion: 150_018, controlFile: Self.controlFile()).files
        #expect(files.map(\.name) == ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"])
        #expect(files.allSatisfy { $0.kind == .create && $0.content.hasSuffix("\n") })
    }
}
