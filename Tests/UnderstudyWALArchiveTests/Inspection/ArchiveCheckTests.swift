import Foundation
import Testing
import UnderstudyCompression
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite struct ArchiveCheckTests {
    let archive: TestArchive
    private static let page = 8192

    init() throws { archive = try TestArchive() }

    private func check() async throws -> ArchiveCheck { try await WALArchive(archive.path).check() }

    /// What a check says of the only bad file.
    private func finding() async throws -> ArchiveCheck.Finding {
        let check = try await check()
        try #require(check.findings.count == 1, "\(check.findings)")
        #expect(!check.isSound)
        return check.findings[0]
    }

    private func bytes(_ number: UInt64, _ change: (inout [UInt8]) -> Void) -> [UInt8] {
        var bytes = [UInt8].wal(of: segment(number))
        change(&bytes)
        return bytes
    }

    private func put(_ range: ClosedRange<UInt64>, _ suffix: String = "") throws {
        for number in range { try archive.putSegment(file(number, suffix)) }
    }

    static let suffixes = ["", ".gz", ".lz4", ".zst"]

    @Test(arguments: suffixes) func `a sound archive is found sound`(suffix: String) async throws {
        try put(1...3, suffix)
        try archive.putSegment(file(4, "\(suffix).partial"), upTo: 100_000)
        try archive.put("00000002.history", TestArchive.history([1: 0x350000]))
        try archive.put("\(file(1)).00000028.backup", Array("START WAL LOCATION: 0/100028 (file \(file(1)))\n".utf8))
        // None of its business.
        try archive.put("notes.txt", [1])
        try archive.put(".understudy-new", [1])
        let check = try await check()
        #expect(check.findings == [] && check.isSound && check.gaps == [])
        #expect(check.files.count == 6)
    }

    @Test(
        arguments: suffixes,
        [
            // The byte that is changed, the kind, and what is said to be the first bad byte.
            (0, .otherWAL, 0), (9, .otherWAL, 8), (25, .otherWAL, 24), (34, .otherWAL, 32),
            (page, .page, page), (page + 3, .page, page + 2), (page + 4, .otherWAL, page + 4),
            (page + 10, .page, page + 10), (page + 16, .page, page + 2), (127 * page + 8, .page, 127 * page + 8),
        ] as [(Int, ArchiveCheck.Finding.Kind, Int)])
    func `one bad byte in a header is found`(
        suffix: String, damage: (byte: Int, kind: ArchiveCheck.Finding.Kind, found: Int)
    ) async throws {
        try put(1...4, suffix)
        try archive.putSegment(file(2, suffix), bytes: bytes(2) { $0[damage.byte] ^= 0x04 })
        let finding = try await finding()
        #expect(finding.file == file(2, suffix) && finding.kind == damage.kind, "\(finding)")
        #expect(finding.contentOffset == UInt64(damage.found), "\(finding)")
        #expect(finding.offset == (suffix.isEmpty ? UInt64(damage.found) : nil))
        #expect(finding.lsn == LSN(rawValue: 0x200000 + UInt64(damage.found)))
    }

    @Test(arguments: [".gz", ".lz4", ".zst"], ["file", "history", "backup"])
    func `damage to a container is found where it shows itself`(suffix: String, kind: String) async throws {
        let names = [
            "file": file(2, suffix), "history": "00000002.history\(suffix)",
            "backup": "\(file(1)).00000028.backup\(suffix)",
        ]
        let name = try #require(names[kind])
        try put(1...3, suffix)
        func packed(_ text: [UInt8]) throws -> [UInt8] {
            let method = Compression.Method.allCases.first { $0.fileSuffix == suffix }
            return try Compression(method: method).compressed(text)
        }
        if kind == "history" { try archive.put(name, packed(TestArchive.history([1: 0x350000]))) }
        if kind == "backup" {
            try archive.put(name, packed(Array("START WAL LOCATION: 0/100028 (file \(file(1)))\n".utf8)))
        }
        let whole = try archive.bytes(name)
        #expect(try await check().isSound)

        try archive.put(name, whole.dropLast(3))
        let cut = try await finding()
        #expect(cut.file == name && cut.kind == .container && cut.offset == UInt64(whole.count - 3), "\(cut)")

        try archive.put(name, whole + [0x55])
        let long = try await finding()
        #expect(long.file == name && long.kind == .container && long.offset == UInt64(whole.count), "\(long)")

        for place in [whole.count / 2, whole.count - 1] {
            var damaged = whole
            damaged[place] ^= 0x10
            try archive.put(name, damaged)
            let finding = try await finding()
            #expect(finding.file == name && finding.kind == .container, "\(place): \(finding)")
            #expect(try #require(finding.offset) <= UInt64(whole.count))
            if place == whole.count - 1 { #expect(try #require(finding.offset) + 8 >= UInt64(whole.count)) }
        }
    }

    @Test func `sizes are looked at`() async throws {
        try put(1...3)
        for (size, found) in [(0, 0), (5, 5), (1 << 19, 1 << 19), (1 << 20 + 1, 1 << 20), (2 << 20, 1 << 20)] {
            let whole = [UInt8].wal(of: segment(2)) + [UInt8].wal(of: segment(2))
            try archive.put(file(2), Array(whole.prefix(size)))
            let finding = try await finding()
            // So short that it has no whole header.
            if size == 5 {
                #expect(finding.kind == .page && finding.offset == 0)
            } else {
                #expect(finding.kind == .size && finding.offset == UInt64(found), "\(finding)")
            }
        }
        try archive.putSegment(file(2, ".zst"), bytes: Array([UInt8].wal(of: segment(2)).dropLast(9)))
        try archive.putSegment(file(2))
        #expect(try await finding().contentOffset == 1 << 20 - 9)
    }

    @Test(arguments: suffixes) func `a partial segment ends anywhere, but has no hole`(suffix: String) async throws {
        try put(1...3, suffix)
        let name = file(4, "\(suffix).partial")
        for count in [0, 39, 100, 8192, 50_000, 1 << 20] {
            try archive.putSegment(name, upTo: count, bytes: [UInt8].wal(of: segment(4)))
            #expect(try await check().findings == [], "\(count)")
        }
        // What a server had in the file before it used it again.
        let recycled = bytes(4) { $0.replaceSubrange(81_920..., with: [UInt8].wal(of: segment(1)).dropFirst(81_920)) }
        try archive.putSegment(name, bytes: recycled)
        #expect(try await check().findings == [])
        try archive.putSegment(
            name, bytes: bytes(4) { $0.replaceSubrange(16_384..<24_576, with: repeatElement(0, count: 8192)) })
        let finding = try await finding()
        #expect(finding.file == name && finding.kind == .page && finding.contentOffset == 16_384)
    }

    @Test func `segments of another cluster, place or timeline are found, and a gap`() async throws {
        try put(1...5)
        try archive.putSegment(file(2), bytes: .wal(of: segment(2), system: "1"))
        try archive.putSegment(file(3), bytes: .wal(of: segment(4)))
        try archive.putSegment(file(4), bytes: .wal(of: segment(4, timeline: 2)))
        try archive.putSegment(file(9))
        let check = try await check()
        #expect(check.findings.map(\.file) == [file(2), file(3), file(4)])
        #expect(
            check.findings.map(\.contentOffset) == [24, 8, 4] && check.findings.allSatisfy { $0.kind == .otherWAL })
        #expect(check.gaps.map(\.range) == [WALGap(start: position(1, 0x600000), end: position(1, 0x900000))])
    }

    // MARK: - Timelines

    /// Timeline 2 begins at 0/350000.
    private func fork(_ suffix: String = "", _ change: (inout [UInt8]) -> Void = { _ in }) throws {
        try put(1...2, suffix)
        try archive.putSegment(file(3, "\(suffix).partial"), upTo: 0x50000)
        try archive.put("00000002.history", TestArchive.history([1: 0x350000]))
        var joined = [UInt8].wal(of: segment(3, timeline: 2))
        joined.replaceSubrange(..<0x50000, with: [UInt8].wal(of: segment(3)).prefix(0x50000))
        change(&joined)
        try archive.putSegment(file(3, suffix, timeline: 2), bytes: joined)
        try archive.putSegment(file(4, suffix, timeline: 2))
    }

    @Test(arguments: suffixes) func `timelines join`(suffix: String) async throws {
        try fork(suffix)
        #expect(try await check().isSound)
        // A byte between two headers, before the switch and behind it.
        try fork(suffix) { $0[0x4FFF0] ^= 1 }
        let finding = try await finding()
        #expect(finding.kind == .join && finding.file == file(3, suffix, timeline: 2), "\(finding)")
        #expect(finding.contentOffset == 0x4FFF0 && finding.lsn == LSN(rawValue: 0x34FFF0))
        try fork(suffix) { $0[0x50100] ^= 1 }
        #expect(try await check().isSound)
        // A page of the old timeline behind the switch, and one of the new one before it.
        try fork(suffix) { $0[0x52004] = 1 }
        #expect(try await self.finding().contentOffset == 0x52004)
        try fork(suffix) { $0[0x4E004] = 2 }
        #expect(try await self.finding().contentOffset == 0x4E004)
    }

    @Test func `a timeline whose first segment is missing does not join`() async throws {
        try fork()
        try FileManager.default.removeItem(atPath: "\(archive.path)/\(file(3, timeline: 2))")
        let check = try await check()
        #expect(check.findings.map(\.file) == [file(3, timeline: 2)] && check.findings[0].kind == .join)
        #expect(check.gaps.count == 1)
        // When all older ones were removed, it is not missed.
        for name in [file(1), file(2), file(3, ".partial")] {
            try FileManager.default.removeItem(atPath: "\(archive.path)/\(name)")
        }
        #expect(try await self.check().isSound)
    }

    @Test func `histories are read, and have to agree`() async throws {
        try fork()
        try archive.put("00000003.history", TestArchive.history([1: 0x340000, 2: 0x450000]))
        let contradiction = try await finding()
        #expect(contradiction.file == "00000003.history" && contradiction.kind == .history)
        try archive.put("00000003.history", Array("nothing".utf8))
        #expect(try await finding().message.hasPrefix("is no history of timeline 3: "))
        try FileManager.default.removeItem(atPath: "\(archive.path)/00000003.history")
        try archive.put("\(file(1)).00000028.backup", Array("nothing".utf8))
        #expect(try await finding().message.hasPrefix("is no history of a backup: "))
    }

    // MARK: - Servers

    /// With a timeline that leaves another, all in the files of a real archive.
    @Test(arguments: Recording.versions) func `what servers of all versions have sent is sound`(version: String)
        async throws
    {
        let recording = try Recording(version)
        for session in ["43-start-replication-tli1", "44-start-replication-tli2"] {
            var rest = try recording.wal(session)[...]
            for segment in try #require(recording.meta.streams[session]).segments {
                let padding = [UInt8](repeating: 0, count: recording.meta.segment_size - segment.bytes)
                try archive.put(
                    segment.name + (segment.complete ? "" : ".partial"), rest.prefix(segment.bytes) + padding)
                rest = rest.dropFirst(segment.bytes)
            }
        }
        let switchLSN = try #require(LSN(recording.meta.promoted.switch_lsn))
        try archive.put("00000002.history", TestArchive.history([1: switchLSN.rawValue]))
        let check = try await check()
        #expect(check.findings == [] && check.isSound && check.files.count == 4)
    }

    // MARK: - Beside an archiver

    @Test(arguments: [Compression.none, .zstd()])
    func `what is being written is not damaged`(compression: Compression) async throws {
        try put(1...2, compression.method?.fileSuffix ?? "")
        let isDone = Monitor(false), path = archive.path
        let writer = try OwnThread("writer") {
            let directory = WALDirectory(path, compression: compression)
            do {
                _ = try directory.open(TestArchive.origin())
                for number in 3...30 {
                    try directory.store(segment(UInt64(number)))
                    _ = try directory.sync()
                }
                directory.close()
            } catch { Issue.record(error) }
            isDone.update { $0 = true }
        }
        var looks = 0
        while !isDone.read({ $0 }) {
            looks += 1
            let check = try await check()
            #expect(check.findings == [] && check.gaps == [], "look \(looks)")
        }
        writer.join()
        #expect(try await check().files.count == 30)
    }

    @Test func `nothing to check is an error, and so is nothing that can be read`() async throws {
        let missing = await #expect(throws: UnderstudyError.self) { try await WALArchive("/nowhere").check() }
        #expect(missing?.message.contains("\"/nowhere\"") == true)
        let empty = await #expect(throws: UnderstudyError.self) { try await check() }
        #expect(empty?.message.contains("holds no WAL to check") == true)
        try archive.put(file(1), Array(repeating: 7, count: 1 << 20))
        try archive.put(file(2, ".gz"), Array(repeating: 7, count: 100))
        for attempt in [{ _ = try await check() }, { _ = try await WALArchive(archive.path).inventory() }] {
            let error = await #expect(throws: UnderstudyError.self) { try await attempt() }
            #expect(error?.message == "no segment in \"\(archive.path)\" can be read")
        }
        // One that was made and not written yet is not damaged.
        try FileManager.default.removeItem(atPath: "\(archive.path)/\(file(1))")
        try FileManager.default.removeItem(atPath: "\(archive.path)/\(file(2, ".gz"))")
        try archive.put(file(3, ".partial"), Array(repeating: 0, count: 1 << 20))
        #expect(try await check().isSound)
        #expect(try await WALArchive(archive.path).inventory().timelines.first?.partials.map(\.end) == [nil])
    }
}
