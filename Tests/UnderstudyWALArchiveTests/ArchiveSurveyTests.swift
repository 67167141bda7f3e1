import Testing
import UnderstudyCompression
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// What a directory holds, which server is asked, and what must come of it. Segments are of 1 MB: number 3 begins at
/// 0/300000.
struct SurveyCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Names of segment files; `name@5000` has content up to that byte.
    var files: [String]
    /// Histories in the directory: of a timeline, with what comes behind the file's name.
    var kept: [(timeline: UInt32, suffix: String, forks: [UInt32: UInt64])] = []
    /// The server's timeline, and where those before it ended; nil if it has lost its history.
    var timeline: UInt32 = 1
    var forks: [UInt32: UInt64]?
    var next: WALPosition?
    /// What is set aside, in the order in which it is told.
    var aside: [String] = []
    /// Where the server's history leaves ours.
    var fork: WALPosition?
    /// Files that are gone, or that are new.
    var removed: [String] = []
    var added: [String] = []
    var warnings = 0, missing = 0

    func make() throws -> TestArchive {
        let archive = try TestArchive()
        for file in files {
            let parts = file.split(separator: "@")
            try archive.putSegment(String(parts[0]), upTo: parts.count > 1 ? Int(parts[1]) : nil)
        }
        for (timeline, suffix, forks) in kept {
            let compression = Compression.each.first { $0.method.fileSuffix == suffix } ?? .none
            let name = TimelineID(rawValue: timeline).historyFileName + suffix
            try archive.put(name, compression.compressed(TestArchive.history(forks)))
        }
        return archive
    }

    var origin: WALOrigin { TestArchive.origin(timeline: timeline, forks: forks) }
}

@Suite("What an archive holds")
struct ArchiveSurveyTests {
    @Test(
        "decides where the stream goes on, and what is set aside",
        arguments: SurveyCase.oneTimeline + SurveyCase.promotions)
    func survey(_ test: SurveyCase) throws {
        let archive = try test.make(), before = archive.names
        let holdings = try WALDirectory(archive.path).open(test.origin)
        #expect(holdings.warnings.count == test.warnings, "\(holdings.warnings)")
        #expect(holdings.missing.count == test.missing, "\(holdings.missing)")
        #expect(holdings.next == test.next)
        #expect(holdings.divergence?.fork == test.fork)
        let told = holdings.divergence?.names ?? []
        #expect(told.map(TestArchive.withoutTime) == test.aside.map { "diverged/\($0)" })
        #expect(archive.asideNames == test.aside.sorted())
        #expect(told.sorted() == archive.aside.map { "diverged/\($0)" })
        let directories = test.aside.isEmpty ? [] : ["diverged"]
        let gone = test.aside + test.removed
        #expect(archive.names == (before.filter { !gone.contains($0) } + directories + test.added).sorted())
    }

    @Test(
        "is the same when it is looked at again",
        arguments: SurveyCase.promotions.filter { !Set($0.files).isSubset(of: $0.aside) })
    func again(_ test: SurveyCase) throws {
        let archive = try test.make()
        _ = try WALDirectory(archive.path).open(test.origin)
        let before = FileTree.snapshot(archive.path)
        let holdings = try WALDirectory(archive.path).open(test.origin)
        #expect(holdings.next == test.next && holdings.divergence == nil)
        #expect(FileTree.snapshot(archive.path) == before)
    }

    @Test("has few words about any number of files that are of no use")
    func many() throws {
        let archive = try TestArchive()
        try archive.putSegment(file(3))
        for number: UInt64 in 4...103 { try archive.put(file(number), [0]) }
        let holdings = try WALDirectory(archive.path).open(TestArchive.origin())
        #expect(holdings.next == position(1, 0x400000))
        #expect(holdings.warnings.count == 6)
        #expect(holdings.warnings.first == "\"\(archive.path)/\(file(103))\" has incorrect size 1, skipping")
        #expect(
            holdings.warnings.last
                == "95 more files in \"\(archive.path)\" that look like segments are of no use, skipping")
    }

    @Test(
        "is not for a server whose timeline is older",
        arguments: [(1, nil), (2, [1: 0x350000]), (2, nil)] as [(UInt32, [UInt32: UInt64]?)])
    func ahead(_ timeline: UInt32, _ forks: [UInt32: UInt64]?) throws {
        let archive = try TestArchive()
        try archive.putSegment(file(3))
        try archive.putSegment(file(3, ".partial", timeline: 3), upTo: 5000)
        let before = FileTree.snapshot(archive.path)
        let error = try #require(throws: WALDestinationError.self) {
            _ = try WALDirectory(archive.path).open(TestArchive.origin(timeline: timeline, forks: forks))
        }
        #expect(error.message == "server is on timeline \(timeline), but the archive is on timeline 3 already")
        #expect(error.hint?.hasPrefix("This may be an old primary that came back") == true)
        #expect(error.dependsOnServer)
        #expect(!error.isTemporary)
        #expect(FileTree.snapshot(archive.path) == before)
    }

    @Test("does not count what only looks like a segment")
    func otherNames() throws {
        let archive = try TestArchive()
        try archive.putSegment(file(3))
        try archive.put("\(file(9)).00000028.backup", [1])
        try archive.put("\(file(9)).bz2", [1])
        try archive.put("\(file(9)).partial.gz", [1])
        try archive.put("00000001000000000000000a", [1])
        try TestDirectory.make(at: "\(archive.path)/\(file(9))")
        let holdings = try WALDirectory(archive.path).open(TestArchive.origin())
        #expect(holdings.next == position(1, 0x400000) && holdings.warnings == [] && holdings.divergence == nil)
    }
}

extension SurveyCase {
    static let oneTimeline: [SurveyCase] =
        [
            SurveyCase(testDescription: "empty", files: []),
            SurveyCase(
                testDescription: "a server that was promoted, empty", files: [], timeline: 2, forks: [1: 0x350000]),
            SurveyCase(
                testDescription: "the newest is complete", files: [file(2), file(3)], next: position(1, 0x400000)),
            SurveyCase(
                testDescription: "the newest is partial", files: [file(2), file(3), file(4, ".partial@5000")],
                next: position(1, 0x400000)),
            SurveyCase(
                testDescription: "the newest is partial and empty", files: [file(3), file(4, ".partial@0")],
                next: position(1, 0x400000)),
            SurveyCase(
                testDescription: "the newest is complete and partial", files: [file(3), file(3, ".partial@5000")],
                next: position(1, 0x400000), removed: [file(3, ".partial")]),
            SurveyCase(
                testDescription: "only a partial one", files: [file(3, ".partial@5000")], next: position(1, 0x300000)),
            SurveyCase(
                testDescription: "a gap behind it", files: [file(3), file(9)], next: position(1, 0xA00000),
                missing: 1),
        ]
        + [".gz", ".lz4", ".zst"].flatMap { suffix in
            [
                SurveyCase(
                    testDescription: "the newest is complete, \(suffix)", files: [file(2, suffix), file(3, suffix)],
                    next: position(1, 0x400000)),
                SurveyCase(
                    testDescription: "the newest is partial, \(suffix)",
                    files: [file(3, suffix), file(4, "\(suffix).partial@5000")], next: position(1, 0x400000)),
                SurveyCase(
                    testDescription: "complete plain, partial \(suffix)",
                    files: [file(3), file(3, "\(suffix).partial@5000")], next: position(1, 0x400000),
                    removed: [file(3, "\(suffix).partial")]),
            ]
        }
}
