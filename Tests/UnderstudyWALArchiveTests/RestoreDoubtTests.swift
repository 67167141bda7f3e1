import Foundation
import Testing
import UnderstudyCompression
import UnderstudyCore
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// Archives that are not quite as they should be.
@Suite("A restore from an archive that is in doubt")
struct RestoreDoubtTests {
    private let place: RestoreCase
    private var archive: TestArchive { place.archive }
    private var data: String { place.data }

    init() throws { place = try RestoreCase() }

    // MARK: - Unknown suffixes

    @Test(
        "cannot tell what is in files with suffixes that it does not know",
        arguments: [".xz", ".bz2", ".zst.gpg", ".gz.partial.age", "-5feceb66.zst"])
    func unknownSuffix(_ suffix: String) async throws {
        try archive.putSegment(file(2))
        try archive.put(file(3, suffix), [1, 2, 3])
        let doubt = try #require(try await place.doubt(file(3)))
        #expect(doubt.message.contains("only as \"\(archive.path)/\(file(3, suffix))\""), "\(doubt)")
        #expect(doubt.detail?.contains(".gz, .lz4 or .zst") == true)
        if suffix == ".xz" {
            #expect(doubt.hint?.contains("xz -dk \(archive.path)/\(file(3, ".xz"))") == true, "\(doubt)")
        }
        // It may hold more than the partial segment.
        try archive.putSegment(file(3, ".partial"), upTo: 81_920)
        #expect(try await place.doubt(file(3)) == doubt)
        // The server has it itself.
        try Data([UInt8].wal(of: segment(3))).write(to: URL(fileURLWithPath: "\(data)/pg_wal/\(file(3))"))
        #expect(try await place.restore(file(3)) == .absent)
        try archive.putSegment(file(3))
        TestDirectory.removeTree("\(data)/pg_wal/\(file(3))")
        #expect(
            try await place.restore(file(3)) == .restored(from: "\(archive.path)/\(file(3))", isPartial: false))
    }

    @Test("takes them for what their names say of the others, and the same with history files")
    func unknownNames() async throws {
        for number: UInt64 in [2, 5, 4] { try archive.put(file(number, ".xz"), [1]) }
        let gap = try #require(try await place.doubt(file(3)))
        #expect(gap.message.contains("missing"), "\(gap)")
        #expect(gap.detail?.contains("\"\(file(4, ".xz"))\"") == true, "\(gap)")
        #expect(try await place.doubt("00000001.history") == nil)
        try archive.put("00000002.history.xz", [1])
        #expect(try await place.doubt("00000002.history")?.message.contains("00000002.history.xz") == true)
    }

    @Test("knows what is no WAL, or stands beside it")
    func otherNames() async throws {
        try archive.putSegment(file(2))
        for suffix in [".tmp", ".gz.tmp", ".missing", ".00000028.backup", ".00000028.backup.gz"] {
            try archive.put(file(3, suffix), [1, 2, 3])
            #expect(try await place.restore(file(3)) == .absent, "\(suffix)")
        }
        try archive.put("00000002.history.tmp", [])
        #expect(try await place.restore("00000002.history") == .absent)
        try archive.putSegment(file(3, ".partial"), upTo: 81_920)
        try archive.put(file(3, ".partial.sha256"), [1, 2, 3])
        #expect(
            try await place.restore(file(3))
                == .restored(from: "\(archive.path)/\(file(3, ".partial"))", isPartial: true))
    }

    // MARK: - History files

    enum Flaw: CaseIterable {
        case empty, cut
    }

    @Test("cannot tell where a history file is empty or cut off", arguments: Flaw.allCases, RestoreTests.suffixes)
    func brokenHistory(_ flaw: Flaw, _ suffix: String) async throws {
        let name = "00000002.history\(suffix)"
        let method = Compression.Method.allCases.first { $0.fileSuffix == suffix }
        let sound = try method.map { try Compression(method: $0).compressed(TestArchive.history([1: 0x350000])) }
        let content = sound ?? TestArchive.history([1: 0x350000])
        try archive.put(name, flaw == .empty ? [] : Array(content.prefix(suffix.isEmpty ? 5 : content.count - 3)))
        let alone = try #require(try await place.doubt(file(4)))
        #expect(alone.message.contains("holds no WAL"), "\(alone)")
        try archive.putSegment(file(2))
        // The history itself, and whether its parent went on.
        for asked in ["00000002.history", file(3)] {
            let doubt = try #require(try await place.doubt(asked))
            #expect(doubt.message == "file \"\(archive.path)/\(name)\" is damaged", "\(doubt)")
            #expect(doubt.hint?.contains("Put an intact copy") == true)
            if flaw == .empty { #expect(doubt.detail == "It is empty.") }
        }
        #expect(try await place.restore(file(3, timeline: 2)) == .absent)
        // Another file has it.
        let other = try TestArchive()
        try other.putSegment(file(2))
        try other.put("00000002.history", TestArchive.history([1: 0x250000]))
        #expect(try await place.restore(file(3), from: [archive.path, other.path]) == .absent)
    }

    /// A server that is promoted asks for the histories of younger timelines, one after the other, and takes the first number
    /// without one. It cannot be stopped then: it is a standby, and asks for them at other times, too.
    @Test("warns a standby of a timeline without its history, whose number it would take")
    func lostHistoryOfStandby() async throws {
        try archive.putSegment(file(3))
        try archive.putSegment(file(4, timeline: 2))
        #expect(try #require(try await place.doubt("00000002.history")).detail == nil)
        try TestDirectory.write("", to: "\(data)/standby.signal")
        let doubt = try #require(try await place.doubt("00000002.history"))
        #expect(doubt.detail?.contains("a number that is taken") == true, "\(doubt)")
    }

    // MARK: - Links

    @Test("follows symbolic links to files", arguments: ["", ".zst", ".partial", ".gz.partial"])
    func links(_ suffix: String) async throws {
        let other = try TestArchive()
        try archive.putSegment(file(2))
        try other.putSegment(file(3, suffix), upTo: suffix.hasSuffix(".partial") ? 409_600 : nil)
        try FileManager.default.createSymbolicLink(
            atPath: "\(archive.path)/\(file(3, suffix))", withDestinationPath: "\(other.path)/\(file(3, suffix))")
        let outcome = try await place.restore(file(3))
        #expect(
            outcome
                == .restored(
                    from: "\(archive.path)/\(file(3, suffix))", isPartial: suffix.hasSuffix(".partial")))
        #expect(try Array([UInt8].wal(of: segment(3))[..<409_600]).isHeld(in: Array(place.restored[..<409_600])))
    }

    @Test("follows a link to a history file, and counts links among the names of an archive")
    func otherLinks() async throws {
        let other = try TestArchive()
        try other.put("00000002.history", TestArchive.history([1: 0x350000]))
        for name in ["00000002.history", file(2), file(4)] {
            try other.putSegment(file(2))
            try FileManager.default.createSymbolicLink(
                atPath: "\(archive.path)/\(name)", withDestinationPath: "\(other.path)/\(name)")
        }
        #expect(
            try await place.restore("00000002.history")
                == .restored(from: "\(archive.path)/00000002.history", isPartial: false))
        #expect(try await place.doubt(file(3))?.message.contains("missing") == true)
    }

    @Test("cannot tell from a link that leads to no file, and says where it leads")
    func danglingLink() async throws {
        try archive.putSegment(file(2))
        let link = "\(archive.path)/\(file(3))"
        for (target, reason) in [
            ("/gone/\(file(3))", "No such file"), (link, "Too many levels"), (archive.path, "Is a directory"),
        ] {
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
            let doubt = try #require(try await place.doubt(file(3)))
            #expect(
                doubt.message.contains("\"\(link)\", which is a symbolic link to \"\(target)\": \(reason)"), "\(doubt)")
            #expect(doubt.hint?.contains("the link leads to") == true)
            try FileManager.default.removeItem(atPath: link)
        }
    }

    @Test("names what is no file, and says what to do with it")
    func noFile() async throws {
        try archive.putSegment(file(2))
        try TestDirectory.make(at: "\(archive.path)/\(file(3))")
        let doubt = try #require(try await place.doubt(file(3)))
        #expect(doubt.message == "could not read file \"\(archive.path)/\(file(3))\": Is a directory")
        #expect(doubt.hint?.contains("move \(archive.path)/\(file(3)) out of the archive") == true, "\(doubt)")
    }

    // MARK: - What the server knows

    @Test("knows the size of segments from the server where the archive does not tell")
    func segmentSize() async throws {
        // The segment in which timeline 2 begins, of 16 MB.
        try archive.put("00000002.history", TestArchive.history([1: 0x950_0000]))
        try archive.put("000000020000000000000009", [UInt8](repeating: 0, count: 100))
        let name = "000000010000000000000007"
        #expect(try await place.restore(name) == .absent)
        try place.putControlFile()
        #expect(try await place.doubt(name)?.message.contains("missing") == true)
        #expect(try await place.restore("000000010000000000000009") == .absent)
    }

    @Test("compares the cluster of each directory")
    func clusters() async throws {
        try place.putControlFile()
        let system = try ControlFile(parsing: FileTree.bytes("\(data)/global/pg_control")).systemIdentifier
        try archive.putSegment(file(2), bytes: .wal(of: segment(2), system: String(system)))
        #expect(try await place.restore(file(3)) == .absent)
        for suffix in ["", ".zst.partial"] {
            let other = try TestArchive()
            try other.putSegment(file(1, suffix))
            let doubt = try #require(try await place.doubt(file(3), from: [archive.path, other.path]))
            #expect(doubt.message.contains("archive \"\(other.path)\" holds WAL of another"), "\(doubt)")
        }
    }

    @Test("does not rely on a segment in pg_wal that is not whole")
    func ownSegment() async throws {
        for number: UInt64 in [2, 4] { try archive.putSegment(file(number)) }
        let own = URL(fileURLWithPath: "\(data)/pg_wal/\(file(3))"), whole = [UInt8].wal(of: segment(3))
        var damaged = whole
        damaged[(1 << 19) + 8] ^= 1
        let recycled = [UInt8].wal(of: segment(1))
        for content in [[], Array(whole.prefix(409_600)), RestoreTests.beginning, damaged, recycled] {
            try Data(content).write(to: own)
            #expect(try await place.doubt(file(3))?.message.contains("missing") == true)
        }
        try Data(whole).write(to: own)
        #expect(try await place.restore(file(3)) == .absent)
    }

    /// pg_receivewal writes a partial file anew when it starts, and does not cut off what was there.
    @Test("takes a partial segment with older bytes behind its end", arguments: RestoreTests.suffixes.dropFirst())
    func oldBytes(_ suffix: String) async throws {
        let name = file(3, "\(suffix).partial"), content = Array([UInt8].wal(of: segment(3))[..<409_600])
        let method = try #require(Compression.Method.allCases.first { $0.fileSuffix == suffix })
        try archive.putSegment(file(2))
        try archive.putSegment(name, upTo: 800_000)
        let old = try archive.bytes(name), new = try Compression(method: method).compressed(content)
        try archive.put(name, new + old.dropFirst(new.count))
        #expect(try await place.restore(file(3)) == .restored(from: "\(archive.path)/\(name)", isPartial: true))
        #expect(try content.isHeld(in: place.restored))
        #expect(try place.restored.count == 1 << 20)
    }
}
