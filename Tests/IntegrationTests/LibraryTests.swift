import Testing
import Understudy
import UnderstudyTestSupport

/// The public face in a program, as its documentation shows it.
@Suite struct LibraryTests {
    @Test(arguments: PostgresInstallation.outermost)
    func `a program takes a backup, hears how far it is, and gets what it is`(
        installation: PostgresInstallation
    ) async throws {
        let cluster = try Cluster(installation)
        let target = TestDirectory.freshPath("backup")
        let told = Locked<[BackupProgress]>([])
        var backup = BaseBackup(
            source: ConnectionString(cluster.connectionString()),
            options: .init(label: "nightly", wal: .stream, checkpoint: .fast))
        // The stock tool, which looks at the result, runs as another user than this test where that is root's.
        backup.options.owner = Account.postgres.map { .init(user: $0.user, group: $0.group) }
        let result = try await backup.run(into: .directory(target)) { progress in
            told.withLock { $0.append(progress) }
        }
        #expect(result.startLSN < result.endLSN)
        #expect(result.timeline == TimelineID(rawValue: 1))
        #expect(try #require(result.verifiedFiles) > 900)
        #expect(result.serverVersion / 10000 == installation.major)
        #expect(try FileTree.text("\(target)/backup_label").contains("LABEL: nightly"))
        let phases = told.withLock { $0.map(\.phase) }
        #expect(phases.first == .connecting)
        #expect(phases.contains(.copying))
        #expect(phases.last == .done)
        let last = try #require(told.withLock { $0.last })
        #expect(last.bytesDone == result.bytes)
        #expect(last.tablespacesDone == last.tablespacesTotal)
        let verdict = try verify(target, of: cluster)
        #expect(verdict.status == 0, "\(verdict)")
    }

    @Test func `cancelling the task ends the backup in order`() async throws {
        let cluster = try Cluster(.newest)
        let parent = try TestDirectory.make("parent")
        var options = BaseBackup.Options(checkpoint: .fast, slot: .create("mine"))
        options.maxRate = .kilobytesPerSecond(32)
        let backup = BaseBackup(source: ConnectionString(cluster.connectionString()), options: options)
        let (phases, continuation) = AsyncStream.makeStream(of: BackupProgress.Phase.self)
        let running = Task {
            try await backup.run(into: .directory("\(parent)/deep/target")) { continuation.yield($0.phase) }
        }
        for await phase in phases where phase == .copying { break }
        running.cancel()
        let error = await #expect(throws: UnderstudyError.self) { try await running.value }
        #expect(error?.code == .cancelled)
        #expect(FileTree.names(parent) == [])
        try cluster.expectReleased()
    }

    @Test func `a program clones a standby and learns how to start it`() async throws {
        let cluster = try Cluster(.newest)
        let target = TestDirectory.freshPath("standby")
        var options = StandbyClone.Options()
        options.backup.checkpoint = .fast
        options.slot = .createIfMissing("standby1")
        options.port = 5999
        let result = try await StandbyClone(source: ConnectionString(cluster.connectionString()), options: options).run(
            into: target)
        #expect(result.slotWasMade)
        #expect(result.startCommand.contains("-D \(target)"))
        #expect(result.standby == nil)
        let settings = try FileTree.text("\(target)/postgresql.auto.conf")
        #expect(settings.contains("primary_slot_name = 'standby1'"))
        #expect(settings.contains("port = '5999'"))
        #expect(FileTree.exists("\(target)/standby.signal"))
        #expect(try cluster.slots().contains { $0.contains("standby1") })
    }
}
