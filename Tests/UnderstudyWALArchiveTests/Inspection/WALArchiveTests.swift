import Foundation
import Glibc
import Testing
import UnderstudyCompression
import UnderstudyCore
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite struct WALArchiveTests {
    let archive: TestArchive
    private var look: WALArchive { WALArchive(archive.path) }

    init() throws { archive = try TestArchive() }

    @Test func `an inventory reads what names do not tell`() async throws {
        for number in 1...3 { try archive.putSegment(file(UInt64(number), ".zst")) }
        try archive.putSegment(file(4, ".partial"), upTo: 0x30000)
        try archive.put("\(file(7)).missing", Array("start 0/700000 1\nend 0/900000 1\n".utf8))
        try FileManager.default.createDirectory(atPath: "\(archive.path)/diverged", withIntermediateDirectories: false)
        try archive.put("diverged/x", [1, 2])
        try archive.put(".understudy-next", [1])
        let inventory = try await look.inventory()
        #expect(inventory.systemIdentifier == TestArchive.systemIdentifier && inventory.segmentSize == TestArchive.size)
        #expect(inventory.stretches.map(\.start) == [position(1, 0x100000)])
        #expect(inventory.stretches.map(\.end) == [position(1, 0x430000)])
        #expect(inventory.gaps.map(\.isNoted) == [true] && inventory.others == [])
        #expect(inventory.setAside.map(\.name) == ["x"] && inventory.setAside.map(\.bytes) == [2])
        #expect(inventory.files.count == 5)
    }

    @Test func `one damaged first page does not decide for all`() async throws {
        for number in 1...4 { try archive.putSegment(file(UInt64(number))) }
        try archive.putSegment(file(5), bytes: .wal(of: segment(5), system: "1", size: 2 << 20))
        let inventory = try await look.inventory()
        #expect(inventory.systemIdentifier == TestArchive.systemIdentifier && inventory.segmentSize == TestArchive.size)
    }

    @Test func `an archive without segments is empty`() async throws {
        let inventory = try await look.inventory()
        #expect(inventory.segmentSize == nil && inventory.timelines == [] && inventory.newestTimeline == nil)
        #expect(try await look.pruning(.init(first: file(1))).removed == [])
        await #expect(throws: UnderstudyError.self) { try await look.pruning(.init()) }
    }

    // MARK: - Backups

    private func put(_ recording: Recording, _ archives: [[UInt8]], in place: String, _ suffix: String = "") throws {
        let base = try #require(archives.first { Data($0.prefix(1024)).range(of: Data("backup_label".utf8)) != nil })
        let method = Compression.Method.allCases.first { $0.fileSuffix == suffix }
        let bytes = try Compression(method: method).compressed(base)
        try Data(bytes).write(to: URL(fileURLWithPath: "\(place)/base.tar\(suffix)"))
    }

    @Test(arguments: Recording.versions) func `backups of all versions say what they need`(version: String) async throws
    {
        let recording = try Recording(version), facts = try #require(recording.meta.backups["20-base-backup"])
        let archives = try recording.streams("20-base-backup")
        let start = WALPosition(
            timeline: TimelineID(rawValue: facts.start_timeline), lsn: try #require(LSN(facts.start_lsn)))
        let end = WALPosition(
            timeline: TimelineID(rawValue: facts.stop_timeline), lsn: try #require(LSN(facts.stop_lsn)))
        let parent = try TestDirectory.make("backups"), place = "\(parent)/tar"
        try TestDirectory.make(at: place)
        try put(recording, archives, in: place)
        let bare = try await look.backups(at: place)
        #expect(bare.map(\.start) == [start] && bare.map(\.end) == [nil] && bare[0].label == "understudy")
        guard recording.hasManifest else { return }
        try Data(try #require(archives.last)).write(to: URL(fileURLWithPath: "\(place)/backup_manifest"))
        let found = try await look.backups(at: parent)
        #expect(found.map(\.start) == [start] && found.map(\.end) == [end] && found.map(\.name) == [place])
        #expect(found[0].systemIdentifier == (recording.major >= 17 ? recording.meta.system_identifier : nil))
    }

    @Test(arguments: [".gz", ".lz4", ".zst"]) func `archives may be compressed`(suffix: String) async throws {
        let recording = try Recording("9.6"), place = try TestDirectory.make("backup")
        try put(recording, try recording.streams("20-base-backup"), in: place, suffix)
        #expect(
            try await look.backups(at: place).first?.start.lsn.description
                == recording.meta.backups["20-base-backup"]?.start_lsn)
        // Nothing of it can be read.
        try TestDirectory.write("nothing", to: "\(place)/base.tar\(suffix)")
        let error = await #expect(throws: UnderstudyError.self) { try await look.backups(at: place) }
        #expect(error?.message == "it is unclear what WAL backup \"\(place)\" needs")
    }

    @Test func `a plain backup is a label, and else a control file`() async throws {
        let parent = try TestDirectory.make("backups"), place = "\(parent)/plain"
        let none = await #expect(throws: UnderstudyError.self) { try await look.backups(at: parent) }
        #expect(none?.message == "there is no base backup in \"\(parent)\"")
        for path in [place, "\(place)/global", "\(parent)/empty"] { try TestDirectory.make(at: path) }
        let control = try Data(contentsOf: Recording.fixtures.appending(path: "pg_control/15.bin"))
        try control.write(to: URL(fileURLWithPath: "\(place)/global/pg_control"))
        let facts = try #require(try Recording("15").meta.backups["20-base-backup"])
        let bare = try await look.backups(at: parent)
        #expect(bare.map(\.start.lsn.description) == [facts.start_lsn])
        #expect(bare[0].systemIdentifier == (try Recording("15").meta.system_identifier))
        // What may be a backup in another form is not passed over: nobody would keep its WAL.
        try TestDirectory.write("?", to: "\(parent)/monday.tar.gpg")
        let other = await #expect(throws: UnderstudyError.self) { try await look.backups(at: parent) }
        #expect(other?.detail?.contains("monday.tar.gpg") == true)
        try FileManager.default.removeItem(atPath: "\(parent)/monday.tar.gpg")
        try TestDirectory.write(
            "START WAL LOCATION: 0/100028 (file \(file(1)))\nLABEL: mine\n", to: "\(place)/backup_label")
        #expect(try await look.backups(at: place).map(\.start) == [position(1, 0x100028)])
        try TestDirectory.write("nothing", to: "\(place)/backup_label")
        await #expect(throws: UnderstudyError.self) { try await look.backups(at: parent) }
    }

    @Test func `the archive's own history of a backup says where that ended`() async throws {
        for number in 1...3 { try archive.putSegment(file(UInt64(number))) }
        let history = "\(file(1)).00000028.backup"
        try archive.put(
            history,
            Array(
                "START WAL LOCATION: 0/100028 (file \(file(1)))\nSTOP WAL LOCATION: 0/200100 (file \(file(2)))\nLABEL: mine\n"
                    .utf8))
        var backup = BackupWALRange(name: "b", start: position(1, 0x100028), label: "mine")
        #expect(try await look.inventory(backups: [backup]).restorable.first?.from == position(1, 0x200100))
        backup.label = "other"
        #expect(try await look.inventory(backups: [backup]).restorable.map(\.from) == [nil])
        let named = try await look.backups(at: history)
        #expect(
            named == [
                BackupWALRange(
                    name: history, start: position(1, 0x100028), end: position(1, 0x200100), label: "mine",
                    segmentSize: TestArchive.size)
            ])
        // Of another cluster.
        backup.systemIdentifier = "1"
        let error = await #expect(throws: UnderstudyError.self) { try await look.inventory(backups: [backup]) }
        #expect(error?.message.contains("is of another database cluster than archive") == true)
    }

    // MARK: - Removing

    @Test func `what a plan says is removed, but for what has changed`() async throws {
        for number in 1...5 { try archive.putSegment(file(UInt64(number))) }
        try archive.put("00000002.history", TestArchive.history([1: 0x650000]))
        let plan = try await look.pruning(.init(first: file(5)))
        #expect(plan.removed.map(\.name) == (1...4).map { file($0) } && archive.names.count == 6)
        try archive.putSegment(file(2), upTo: 5, bytes: .wal(of: segment(2)))
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: "\(archive.path)/\(file(2))")
        try FileManager.default.removeItem(atPath: "\(archive.path)/\(file(1))")
        let outcome = try await look.prune(plan)
        #expect(outcome.removed == 2 && outcome.bytes == 2 << 20 && outcome.changed == [file(2)])
        #expect(archive.names == ["00000002.history", file(2), file(5)].sorted())
    }

    @Test(.enabled(if: geteuid() == 0, "root alone makes files that nobody removes"))
    func `what cannot be removed ends it, and nothing behind it goes`() async throws {
        let archive = try TestArchive(try TestDirectory.makeOnDisk("archive")), look = WALArchive(archive.path)
        for number in 1...5 { try archive.putSegment(file(UInt64(number))) }
        let plan = try await look.pruning(.init(first: file(5)))
        let chattr = { (flag: String) in
            try Program.check("/usr/bin/chattr", [flag, "\(archive.path)/\(file(2))"], asCaller: true)
        }
        _ = try chattr("+i")
        defer { _ = try? chattr("-i") }
        let error = await #expect(throws: UnderstudyError.self) { try await look.prune(plan) }
        #expect(error?.detail == "Before that, 1 of 4 files were removed, oldest first.")
        #expect(archive.names == (2...5).map { file(UInt64($0)) })
    }
}
