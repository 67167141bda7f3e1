import Foundation
import Testing
import UnderstudyCompression
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// Files of an archive on their way to a server.
@Suite("A restore from an archive")
struct RestoreTests {
    private let place: RestoreCase
    private var archive: TestArchive { place.archive }
    private var data: String { place.data }

    init() throws { place = try RestoreCase() }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    /// A segment of which the server has written some.
    static let beginning =
        Array([UInt8].wal(of: segment(3))[..<409_600]) + [UInt8](repeating: 0, count: (1 << 20) - 409_600)

    static let suffixes = ["", ".gz", ".lz4", ".zst"]

    private func restore(
        _ name: String, from directories: [String]? = nil, diverged: Bool = false
    ) async throws -> WALRestore.Outcome {
        try await place.restore(name, from: directories, diverged: diverged)
    }

    private var restored: [UInt8] { get throws { try place.restored } }

    private func doubt(_ outcome: WALRestore.Outcome) -> String? {
        if case .doubtful(let error) = outcome { error.message } else { nil }
    }

    // MARK: - What is there

    @Test("has the bytes of a complete segment, however it is compressed", arguments: suffixes)
    func complete(_ suffix: String) async throws {
        try archive.putSegment(file(3, suffix))
        #expect(
            try await restore(file(3))
                == .restored(from: "\(archive.path)/\(file(3, suffix))", isPartial: false))
        #expect(try restored == .wal(of: segment(3)))
        #expect(try FileTree.mode("\(data)/pg_wal/RECOVERYXLOG") == 0o600)
    }

    @Test("pads the partial segment at the end of a timeline with zeros", arguments: suffixes)
    func partial(_ suffix: String) async throws {
        try archive.putSegment(file(2, suffix))
        try archive.putSegment(file(3, "\(suffix).partial"), upTo: 409_600)
        try archive.putSegment(file(7, suffix, timeline: 2))
        #expect(
            try await restore(file(3))
                == .restored(from: "\(archive.path)/\(file(3, "\(suffix).partial"))", isPartial: true))
        #expect(try Array([UInt8].wal(of: segment(3))[..<409_600]).isHeld(in: restored))
        #expect(try restored.count == 1 << 20)
    }

    @Test("takes what can be read of a partial segment whose end is lost", arguments: suffixes.dropFirst())
    func cutOff(_ suffix: String) async throws {
        try archive.putSegment(file(2, suffix))
        try archive.putSegment(file(3, "\(suffix).partial"), upTo: 800_000)
        let name = file(3, "\(suffix).partial"), bytes = try archive.bytes(name)
        try archive.put(name, Array(bytes.prefix(bytes.count * 3 / 4)))
        #expect(try await restore(file(3)) == .restored(from: "\(archive.path)/\(name)", isPartial: true))
        #expect(try restored.prefix(400_000).elementsEqual([UInt8].wal(of: segment(3)).prefix(400_000)))
    }

    @Test("takes the partial segment that holds most")
    func longest() async throws {
        let other = try TestArchive()
        try archive.putSegment(file(2))
        try archive.putSegment(file(3, ".partial"), upTo: 81_920)
        try archive.putSegment(file(3, ".gz.partial"), upTo: 163_840)
        try other.putSegment(file(3, ".zst.partial"), upTo: 245_760)
        #expect(
            try await restore(file(3), from: [archive.path, other.path])
                == .restored(from: "\(other.path)/\(file(3, ".zst.partial"))", isPartial: true))
    }

    @Test("takes the first directory that has an intact file")
    func directories() async throws {
        let other = try TestArchive()
        try other.putSegment(file(3, ".zst"))
        let both = [archive.path, "\(archive.path)/gone", other.path]
        #expect(
            try await restore(file(3), from: both)
                == .restored(from: "\(other.path)/\(file(3, ".zst"))", isPartial: false))
        try archive.put(file(3, ".gz"), [1, 2, 3])
        #expect(
            try await restore(file(3), from: both)
                == .restored(from: "\(other.path)/\(file(3, ".zst"))", isPartial: false))
        #expect(try await doubt(restore(file(4), from: both))?.contains("\(archive.path)/gone") == true)
    }

    @Test("hands out history files, and any other file by its name", arguments: suffixes)
    func otherFiles(_ suffix: String) async throws {
        let history = TestArchive.history([1: 0x350000])
        let method = Compression.Method.allCases.first { $0.fileSuffix == suffix }
        func compressed(_ bytes: [UInt8]) throws -> [UInt8] {
            guard let method else { return bytes }
            var compressor = try Compressor(method), output: [UInt8] = []
            try compressor.compress(bytes.raw, into: &output)
            try compressor.finish(into: &output)
            return output
        }
        try archive.put("00000002.history\(suffix)", compressed(history))
        try archive.put("000000010000000000000002.00000028.backup\(suffix)", compressed([1, 2, 3]))
        #expect(
            try await restore("00000002.history")
                == .restored(from: "\(archive.path)/00000002.history\(suffix)", isPartial: false))
        #expect(try restored == history)
        _ = try await restore("000000010000000000000002.00000028.backup")
        #expect(try restored == [1, 2, 3])
        // Of a plain file, only the end of an entry tells.
        try archive.put("00000002.history\(suffix)", Array(compressed(history).prefix(suffix.isEmpty ? 5 : 40)))
        #expect(try await doubt(restore("00000002.history"))?.contains("damaged") == true)
    }

    // MARK: - What is not there

    @Test("finds nothing behind the end, or before the beginning, of a timeline")
    func absent() async throws {
        for number in 3...4 { try archive.putSegment(file(UInt64(number), ".zst")) }
        try archive.putSegment(file(9, timeline: 2))
        for name in [
            file(5), file(4, timeline: 2), file(10, timeline: 2), file(1, timeline: 3), "00000003.history",
            "00000001.history",
        ] {
            #expect(try await restore(name) == .absent, "\(name)")
        }
    }

    @Test("cannot tell where a segment is missing, or not complete, before a newer one", arguments: suffixes)
    func gap(_ suffix: String) async throws {
        try archive.putSegment(file(2, suffix))
        try archive.putSegment(file(4, "\(suffix).partial"), upTo: 409_600)
        #expect(try await doubt(restore(file(3)))?.contains("missing") == true)
        try archive.putSegment(file(3, "\(suffix).partial"), upTo: 409_600)
        #expect(try await doubt(restore(file(3)))?.contains("not complete") == true)
        // The name of a complete one, as in a copy of pg_wal.
        try archive.putSegment(file(3, suffix), bytes: Self.beginning)
        #expect(try await doubt(restore(file(3)))?.contains("not complete") == true)
        // The server has it itself.
        try Self.write([UInt8].wal(of: segment(3)), to: "\(data)/pg_wal/\(file(3))")
        #expect(try await restore(file(3)) == .absent)
    }

    @Test("cannot tell where the archive begins behind it, or a history tells that the timeline went on")
    func needed() async throws {
        for number: UInt64 in [5, 6] { try archive.putSegment(file(number)) }
        #expect(try await doubt(restore(file(4)))?.contains("missing") == true)
        try archive.put("00000002.history", TestArchive.history([1: 0x950000]))
        try archive.put("00000003.history", TestArchive.history([1: 0x950000, 2: 0xB50000]))
        for number: UInt64 in [12, 13] { try archive.putSegment(file(number, timeline: 3)) }
        // The last ones before the fork, all of a timeline, and the first of one.
        for name in [file(7), file(8), file(9, timeline: 2), file(10, timeline: 2), file(11, timeline: 3)] {
            #expect(try await doubt(restore(name))?.contains("missing") == true, "\(name)")
        }
        // With the fork in it, behind it, and before the beginning.
        for name in [file(9), file(10), file(11, timeline: 2), file(8, timeline: 2), file(10, timeline: 3)] {
            #expect(try await restore(name) == .absent, "\(name)")
        }
    }

    @Test("cannot tell by the archive of another cluster, or beside an empty one")
    func otherArchive() async throws {
        try archive.putSegment(file(2))
        #expect(try await restore(file(3)) == .absent)
        let other = try TestArchive()
        #expect(try await doubt(restore(file(3), from: [archive.path, other.path]))?.contains("holds no WAL") == true)
        #expect(try await doubt(restore("%f"))?.contains("no server asks") == true)
        try place.putControlFile()
        #expect(try await doubt(restore(file(3)))?.contains("another database cluster") == true)
    }

    @Test(
        "cannot tell from a partial segment that is damaged, and takes one that is cut off",
        arguments: suffixes.dropFirst())
    func damagedPartial(_ suffix: String) async throws {
        let name = file(3, "\(suffix).partial")
        try archive.putSegment(file(2))
        try archive.putSegment(name, upTo: 409_600)
        let sound = try archive.bytes(name)
        var bytes = sound
        bytes[0] ^= 0x20
        try archive.put(name, bytes)
        #expect(try await doubt(restore(file(3)))?.contains("is damaged") == true)
        // Made, and not written yet.
        try archive.put(name, [])
        #expect(try await restore(file(3)) == .absent)
    }

    @Test("waits for nothing that is no file")
    func noFile() async throws {
        try archive.putSegment(file(2))
        try Program.check("/usr/bin/mkfifo", ["\(archive.path)/\(file(3))"], asCaller: true)
        #expect(try await doubt(restore(file(3))) != nil)
    }

    @Test("takes a complete name with a part of the content for a partial segment at the end", arguments: suffixes)
    func incomplete(_ suffix: String) async throws {
        try archive.putSegment(file(2))
        try archive.putSegment(file(3, suffix), bytes: Self.beginning)
        #expect(
            try await restore(file(3)) == .restored(from: "\(archive.path)/\(file(3, suffix))", isPartial: true))
    }

    @Test("cannot tell where the history of a timeline that is there is lost")
    func lostHistory() async throws {
        try archive.putSegment(file(3))
        try archive.putSegment(file(4, timeline: 2))
        #expect(try await doubt(restore("00000002.history"))?.contains("missing") == true)
        #expect(try await restore("00000003.history") == .absent)
    }

    @Test("cannot tell from a directory that is not there, or empty")
    func unmounted() async throws {
        for name in [file(3), "00000002.history"] {
            #expect(try await doubt(restore(name))?.contains("holds no WAL") == true)
            #expect(
                try await doubt(restore(name, from: ["\(data)/gone"]))?.contains("could not open directory") == true)
        }
        // A standby's archive may begin with the standby.
        try TestDirectory.write("", to: "\(data)/standby.signal")
        #expect(try await restore(file(3)) == .absent)
        #expect(try await doubt(restore(file(3), from: ["\(data)/gone"])) != nil)
    }

    @Test("cannot tell where there is no room, or no directory, for the file")
    func noPlace() async throws {
        try archive.putSegment(file(3))
        let restore = WALRestore(from: [archive.path])
        let outcome = try await restore.restore(file(3), to: "\(data)/gone/x", dataDirectory: data)
        #expect(doubt(outcome)?.contains("could not open directory") == true)
    }

    // MARK: - Damage

    enum Damage: CaseIterable {
        case short, long, container, header, address, page, timeline, system
    }

    @Test("cannot tell from a damaged segment", arguments: Damage.allCases, suffixes)
    func damaged(_ damage: Damage, _ suffix: String) async throws {
        var content = [UInt8].wal(of: segment(3)), after: (inout [UInt8]) -> Void = { _ in }
        var expected = "is damaged"
        switch damage {
        case .short: after = { $0.removeLast($0.count / 3) }
        case .long: content += [1]
        case .container:
            if suffix.isEmpty { return }
            after = { $0[$0.count / 2] ^= 0x10 }
        case .header: content[0] = 0
        case .address:
            content[10] ^= 1
            expected = "does not hold the WAL"
        case .page: content[(1 << 19) + 8] ^= 1
        case .timeline: content[(1 << 19) + 4] = 9
        case .system:
            return try await otherSystem(.wal(of: segment(3), system: "7380000000000000002"))
        }
        try archive.putSegment(file(2))
        try archive.putSegment(file(3, suffix), bytes: content)
        var bytes = try archive.bytes(file(3, suffix))
        after(&bytes)
        try archive.put(file(3, suffix), bytes)
        let found = try await doubt(restore(file(3)))
        #expect(found?.contains(expected) == true, "\(found ?? "none")")
        // Another one is taken instead.
        try archive.putSegment(file(3, suffix == ".zst" ? ".lz4" : ".zst"))
        if case .restored = try await restore(file(3)) {} else { Issue.record("the intact file was not taken") }
    }

    /// The control file of the server tells its system.
    private func otherSystem(_ content: [UInt8]) async throws {
        try place.putControlFile()
        try archive.putSegment(file(3), bytes: content)
        #expect(try await doubt(restore(file(3)))?.contains("does not hold the WAL") == true)
    }

    // MARK: - What was set aside

    @Test("takes files that were set aside only if asked to")
    func diverged() async throws {
        try archive.putSegment(file(2))
        try archive.putSegment(file(3, ".partial"), upTo: 81_920)
        try TestDirectory.make(at: "\(archive.path)/diverged")
        let name = file(3, ".zst")
        try archive.putSegment(name)
        try FileManager.default.moveItem(
            atPath: "\(archive.path)/\(name)", toPath: "\(archive.path)/diverged/\(name).20261128T120000Z")
        #expect(
            try await restore(file(3))
                == .restored(from: "\(archive.path)/\(file(3, ".partial"))", isPartial: true))
        #expect(
            try await restore(file(3), diverged: true)
                == .restored(from: "\(archive.path)/diverged/\(name).20261128T120000Z", isPartial: false))
        #expect(try await restore(file(4), diverged: true) == .absent)
    }

    // MARK: - After a kill

    @Test("removes what a killed one has left, and nothing that another one writes")
    func leftovers() async throws {
        try archive.putSegment(file(3))
        let left = "\(data)/pg_wal/.understudy-restore-1"
        try Self.write([1, 2, 3], to: left)
        _ = try await restore(file(3))
        try Self.write([1, 2, 3], to: left)
        let other = unsafe open(left, O_RDWR)
        defer { close(other) }
        #expect(flock(other, LOCK_EX) == 0)
        let again = try await WALRestore(from: [archive.path]).restore(
            file(3), to: "\(data)/pg_wal/RECOVERYXLOG", dataDirectory: data)
        #expect(again == .restored(from: "\(archive.path)/\(file(3))", isPartial: false))
        #expect(FileTree.names("\(data)/pg_wal") == [".understudy-restore-1", "RECOVERYXLOG"])
    }

    // MARK: - Ahead

    @Test("takes what was unpacked ahead, until the recovery is over")
    func ahead() async throws {
        for number in 3...8 { try archive.putSegment(file(UInt64(number), ".zst")) }
        let restore = WALRestore(from: [archive.path], options: .init(readAhead: 2))
        let path = "\(data)/pg_wal/RECOVERYXLOG", data = data, directory = "\(data)/pg_wal/understudy.ahead"
        func ready() -> [String] { FileTree.names(directory).filter { $0.count > 24 }.map { String($0.prefix(24)) } }
        #expect(!restore.isReadingAhead(of: file(3), to: path))
        let interrupt = Interrupt()
        defer { interrupt.raise() }
        let process = try OwnThread("ahead") {
            try? WALReadAhead(restore, idleLimit: .seconds(3600)).work(file(3), RestoreTarget(path), data, interrupt)
        }
        try eventually("4 and 5 are ready, not \(FileTree.names(directory))") { ready() == [file(4), file(5)] }
        // The archive is not needed for it any more.
        try FileManager.default.removeItem(atPath: "\(archive.path)/\(file(4, ".zst"))")
        let outcome = try await restore.restore(file(4), to: path, dataDirectory: data)
        guard case .restored(let from, false) = outcome, from.hasPrefix("\(directory)/\(file(4))") else {
            Issue.record("\(outcome)")
            return
        }
        #expect(try restored == .wal(of: segment(4)))
        // A history file says nothing of the next segments: those that are ready stay.
        #expect(try await restore.restore("00000002.history", to: path, dataDirectory: data) == .absent)
        #expect(ReadAheadCache(try RestoreTarget(path), restore)?.asked == file(4))
        try eventually("5 and 6 are ready, not \(FileTree.names(directory))") { ready() == [file(5), file(6)] }
        #expect(restore.isReadingAhead(of: file(7), to: path))
        try eventually("what is behind is removed") { ready() == [file(8)] }
        // Another archive has its own.
        let other = try TestArchive()
        try other.putSegment(file(8))
        #expect(
            try await WALRestore(from: [other.path], options: .init(readAhead: 2)).restore(
                file(8), to: path, dataDirectory: data)
                == .restored(from: "\(other.path)/\(file(8))", isPartial: false))
        TestDirectory.removeTree("\(data)/recovery.signal")
        process.join()
        #expect(FileTree.names("\(data)/pg_wal") == ["RECOVERYXLOG"])
    }

    @Test("does not take what a killed process has unpacked")
    func deadAhead() async throws {
        try archive.putSegment(file(4))
        let directory = "\(data)/pg_wal/understudy.ahead"
        let restore = WALRestore(from: [archive.path], options: .init(readAhead: 2))
        try TestDirectory.make(at: directory)
        try TestDirectory.write("12.34 \(restore.fingerprint)", to: "\(directory)/lock")
        try Self.write([1, 2, 3], to: "\(directory)/\(file(4)).12.34")
        let outcome = try await restore.restore(file(4), to: "\(data)/pg_wal/RECOVERYXLOG", dataDirectory: data)
        #expect(outcome == .restored(from: "\(archive.path)/\(file(4))", isPartial: false))
    }

    @Test("unpacks nothing ahead any more where nothing is asked for, and leaves nothing")
    func idleAhead() throws {
        for number in 3...5 { try archive.putSegment(file(UInt64(number), ".zst")) }
        let restore = WALRestore(from: [archive.path], options: .init(readAhead: 2))
        let interrupt = Interrupt(), ended = Locked(false), data = data
        let process = try OwnThread("ahead") {
            try? WALReadAhead(restore, idleLimit: .zero).work(
                file(3), RestoreTarget("\(data)/pg_wal/RECOVERYXLOG"), data, interrupt)
            ended.withLock { $0 = true }
        }
        defer {
            interrupt.raise()
            process.join()
        }
        try eventually("the end") { ended.withLock { $0 } }
        #expect(FileTree.names("\(data)/pg_wal") == [])
    }
}
