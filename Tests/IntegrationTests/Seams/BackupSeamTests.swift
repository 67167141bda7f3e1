import Testing
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

/// Other sources and sinks than BASE_BACKUP and a directory, through the same run.
@Suite("Sources and targets of a backup")
struct BackupSeamTests {
    private func backUp(
        _ cluster: Cluster, to target: any BackupTarget, _ options: BaseBackup.Options,
        from makeSource: @escaping (SourceContext) -> any BackupSource = SourceContext.chooseSource
    ) throws(UnderstudyError) -> BackupResult {
        let run = BackupRun(
            options: options, target: target,
            parameters: try ConnectionParameters(reading: ConnectionString(cluster.connectionString())),
            interrupt: Interrupt(), hurry: Interrupt(), meter: ProgressMeter { _ in }, logger: .silent,
            makeSource: makeSource)
        return try run.run { _, _ in
        } addFiles: { facts throws(UnderstudyError) in
            _ = try target.add(.init(name: "extra", content: "\(facts.server.version)", kind: .create))
        }
    }

    private func makeCluster() throws -> Cluster {
        var options = Cluster.Options()
        options.settings = ["wal_keep_size = 256MB"]
        let cluster = try Cluster(.newest, options)
        _ = try cluster.sql("CREATE TABLE t AS SELECT i, repeat(i::text, 50) s FROM generate_series(1, 20000) i")
        return cluster
    }

    private func options(manifest: Bool) -> BaseBackup.Options {
        var options = BaseBackup.Options(checkpoint: .fast)
        options.manifest = manifest
        return options
    }

    @Test("a sink that throws everything away is verified all the same")
    func counting() throws {
        let cluster = try makeCluster()
        let target = CountingTarget()
        let result = try backUp(cluster, to: target, options(manifest: true))
        let counts = target.counts.read { $0 }
        #expect(result.verifiedFiles == counts.files && counts.files > 500)
        #expect(counts.bytes > 20 << 20 && UInt64(counts.bytes) < result.bytes)
        #expect(counts.walBytes > 0 && counts.manifestBytes > 100_000)
        #expect(counts.edits == ["extra"] && counts.isDurable && counts.undone == 0)
        try cluster.expectReleased()
    }

    @Test("a recorded source, whose files come in any order through two feeders, makes a backup that starts")
    func recorded() throws {
        let cluster = try makeCluster()
        let recording = FedBackup()
        _ = try backUp(cluster, to: CountingTarget(), options(manifest: true)) {
            RecordingSource(SourceContext.chooseSource($0), recording)
        }
        let path = TestDirectory.freshPath("recorded")
        var options = options(manifest: false)
        options.owner = Account.postgres.map { .init(user: $0.user, group: $0.group) }
        let target = DirectoryTarget(path: path, options: options, interrupt: Interrupt(), logger: .silent)
        let result = try backUp(cluster, to: target, options) { _ in RecordedSource(recording) }
        #expect(result.startLSN == recording.content.read { $0.start?.position.lsn })
        #expect(result.verifiedFiles == nil)
        #expect(FileTree.exists("\(path)/extra") && FileTree.exists("\(path)/backup_label"))
        let copy = try Cluster(copy: path, of: cluster)
        try copy.start()
        #expect(try cluster.differences(from: copy) == [])
    }

    @Test("a sink that wants the server's order refuses a source without it, and is undone")
    func order() throws {
        let cluster = try makeCluster()
        let recording = FedBackup()
        _ = try backUp(cluster, to: CountingTarget(), options(manifest: true)) {
            RecordingSource(SourceContext.chooseSource($0), recording)
        }
        let target = CountingTarget()
        let error = #expect(throws: UnderstudyError.self) {
            try backUp(cluster, to: target, options(manifest: true)) { _ in RecordedSource(recording) }
        }
        #expect(error?.message == "nothing needs the files in the server's order, in which they do not come here")
        let counts = target.counts.read { $0 }
        #expect(counts.files == 0 && counts.undone == 1 && !counts.isDurable)
        try cluster.expectReleased()
    }
}
