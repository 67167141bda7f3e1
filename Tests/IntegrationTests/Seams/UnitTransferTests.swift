import Testing
import UnderstudyBackupFormat
import UnderstudyConnection
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

/// Files that are others than they were when they were listed.
@Suite("What a unit of files becomes if they change")
struct UnitTransferTests {
    private func part(_ path: String, size: UInt64) throws -> BackupUnit.Part {
        .init(entry: TarEntry(path: try MemberPath(path), kind: .file, mode: 0o600, size: size), path: path)
    }

    @Test("what is gone is left out, what is shorter ends in zeros, and what is longer ends where it was listed")
    func changed() throws {
        let cluster = try Cluster(.newest)
        try TestDirectory.write(String(repeating: "x", count: 100_000), to: "\(cluster.directory)/short")
        try TestDirectory.write(String(repeating: "y", count: 100_000), to: "\(cluster.directory)/long")
        try TestDirectory.write("", to: "\(cluster.directory)/empty")
        let session = try Session.connect(
            ConnectionParameters(reading: ConnectionString(cluster.connectionString())),
            kind: .ordinary(database: "postgres"), applicationName: "test", interrupt: Interrupt())
        let sql = BackupSQL(session.serverVersion)
        _ = try session.run(sql.settings)
        let unit = BackupUnit(
            archive: 0,
            parts: [
                try part("gone", size: 200_000), try part("short", size: 200_000), try part("nowhere/gone", size: 1),
                try part("empty", size: 0), try part("long", size: 70_000), try part("empty", size: 3),
                try part("gone too", size: 0),
            ])
        var feeder = KeepingFeeder()
        let meter = ProgressMeter { _ in }
        var transfer = UnitTransfer<KeepingFeeder>(unit, meter: meter, pages: nil)
        try transfer.run(session, sql, into: &feeder, pacer: nil)
        let isComplete = transfer.isComplete
        #expect(isComplete)
        let files = feeder.files
        #expect(files.map(\.name) == ["short", "empty", "long", "empty", "gone too"])
        #expect(
            files[0].content == Array(repeating: UInt8(ascii: "x"), count: 100_000)
                + Array(repeating: 0, count: 100_000))
        #expect(files[1].content.isEmpty && files[4].content.isEmpty)
        #expect(files[2].content == Array(repeating: UInt8(ascii: "y"), count: 70_000))
        #expect(files[3].content == [0, 0, 0])
        #expect(meter.bytesDone == 200_000 + 200_000 + 1 + 70_000 + 3)
    }
}

private struct KeepingFeeder: MemberFeeder {
    typealias Failure = UnderstudyError

    var files: [(name: String, content: [UInt8])] = []

    mutating func beginArchive(_ archive: AnnouncedArchive) {}
    mutating func begin(_ entry: TarEntry) { files.append(("\(entry.path)", [])) }
    mutating func content(_ bytes: RawSpan) { files[files.count - 1].content += bytes.array }
    mutating func end() {}
    mutating func drain() {}
}
