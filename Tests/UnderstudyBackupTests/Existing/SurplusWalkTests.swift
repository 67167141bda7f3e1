import Foundation
import Testing
import UnderstudyBackupFormat
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyPlatform

@Suite("What a directory has and its source has not")
struct SurplusWalkTests {
    private let path: String, outside: String
    private var table = FileTable()
    private let archives = [
        AnnouncedArchive(oid: nil, location: nil, size: nil), AnnouncedArchive(oid: 5, location: "/space", size: nil),
    ]

    init() throws {
        path = try TestDirectory.make("data")
        outside = try TestDirectory.make("outside")
        for name in ["", "base", "base/1", "base/3", "global", "pg_replslot", "pg_tblspc", "log"] {
            _ = try table.add(
                .init(
                    archive: 0, isOfTablespace: false, path: name.isEmpty ? "." : name, member: Array(name.utf8),
                    isEntered: name != "pg_tblspc"))
        }
        func list(_ names: [String], in directory: Int) throws {
            for name in names { try table.add(Array(name.utf8), in: directory, size: 4, modificationTime: 0) }
        }
        try list(["PG_VERSION"], in: 0)
        try list(["100", "new"], in: 2)
        try list(["pg_control"], in: 4)
        try list(["listed.log"], in: 7)
        let version = try table.add(
            .init(archive: 1, isOfTablespace: true, path: "pg_tblspc/5/PG_15_1", member: Array("PG_15_1".utf8)))
        try list(["200"], in: version)
    }

    private func fill() throws {
        for name in ["base", "base/1", "base/2", "global", "pg_replslot", "pg_replslot/s", "pg_tblspc", "log", "mine"] {
            try TestDirectory.make(at: "\(path)/\(name)")
        }
        for name in [
            "PG_VERSION", "base/1/100", "base/1/101", "base/2/1", "pg_replslot/s/state", "log/listed.log",
            "log/old.log",
            "mine/file", "notes", "promote", "pgsql_tmp.understudy", "global/pgsql_tmp.understudy.pg_control",
        ] { try TestDirectory.write(name == "base/1/100" ? "longer" : "four", to: "\(path)/\(name)") }
        try TestDirectory.write("precious", to: "\(outside)/file")
        try TestDirectory.make(at: "\(outside)/PG_15_1")
        try TestDirectory.make(at: "\(outside)/PG_14_1")
        for name in ["200", "201"] { try TestDirectory.write("four", to: "\(outside)/PG_15_1/\(name)") }
        for (name, target) in [
            ("base/1/new", "\(outside)/file"), ("base/3", outside), ("base/1/link", outside), ("elsewhere", outside),
            ("pg_tblspc/5", outside), ("pg_tblspc/6", outside),
        ] { try FileManager.default.createSymbolicLink(atPath: "\(path)/\(name)", withDestinationPath: target) }
    }

    private func walk(
        removes: Bool
    ) throws -> (surplus: [String], kept: [String], replaced: [String], figures: ExistingFigures) {
        let found = Locked((surplus: [String](), kept: [String](), replaced: [String]()))
        let space = outside
        var roots = ExistingRoots(
            data: try ConfinedDirectory(path: path), walName: "pg_wal", isLinked: [5: true],
            tablespace: { _ in try? ConfinedDirectory(path: space) })
        roots.wal = try? ConfinedDirectory(path: "\(path)/pg_wal")
        var walk = SurplusWalk(table, archives, roots, removes: removes, interrupt: nil) { finding in
            found.withLock {
                switch finding {
                case .surplus(let path): $0.surplus.append(path)
                case .kept(let path): $0.kept.append(path)
                case .replaced(let path): $0.replaced.append(path)
                }
            }
        }
        try walk.run()
        return found.withLock { ($0.surplus.sorted(), $0.kept.sorted(), $0.replaced.sorted(), walk.figures) }
    }

    @Test func `is told by names and sizes, and goes where a server writes alone`() throws {
        try fill()
        let before = FileTree.snapshot(path) + FileTree.snapshot(outside)
        let found = try walk(removes: false)
        #expect(FileTree.snapshot(path) + FileTree.snapshot(outside) == before)
        let surplus = [
            "base/1/101", "base/1/link", "base/1/new", "base/2", "base/3", "pg_replslot/s", "pg_tblspc/5/PG_15_1/201",
            "pg_tblspc/6", "promote",
        ]
        #expect(found.surplus == surplus)
        #expect(
            Set(found.kept) == [
                "elsewhere", "log/old.log", "mine", "notes", "pg_tblspc/5/PG_14_1", "pg_tblspc/5/file", outside,
                "\(outside)/file",
            ])
        // Another size, and what is not a server's alone.
        #expect(found.replaced == ["base/1/100", "log/listed.log"])
        #expect(found.figures.source.files == 6 && found.figures.sameSize.files == 3)
        #expect(found.figures.otherSize.files == 1 && found.figures.missing.files == 2)

        let removed = try walk(removes: true)
        #expect(removed.surplus == found.surplus && removed.kept == found.kept)
        #expect(removed.figures.surplus == found.figures.surplus)
        for name in surplus where !name.hasPrefix("pg_tblspc/5") {
            #expect(!FileTree.exists("\(path)/\(name)"), "\(name)")
        }
        for name in [
            "log/old.log", "mine/file", "notes", "elsewhere", "global/pgsql_tmp.understudy.pg_control", "base/1/100",
        ] {
            #expect(FileTree.exists("\(path)/\(name)"), "\(name)")
        }
        #expect(FileTree.names(outside) == ["PG_14_1", "PG_15_1", "file"])
        #expect(FileTree.names("\(outside)/PG_15_1") == ["200"])
        #expect(try FileTree.text("\(outside)/file") == "precious")
        #expect(try walk(removes: false).surplus == [])
    }

    @Test func `of the WAL directory is named where it is no WAL, and its name is escaped`() throws {
        try TestDirectory.make(at: "\(path)/pg_wal")
        for name in [
            "000000010000000000000001", "00000001000000000000000A.partial", "00000002.history", "archive_status",
            "00000001000000000000000B.00000028.backup", "xlogtemp.5", "pgsql_tmp.understudy", "lost+found",
            "20261128", "000000010000000000000001.mine", "new\nline", "00000001.notes",
        ] { try TestDirectory.write("four", to: "\(path)/pg_wal/\(name)") }
        let kept = try walk(removes: false).kept
        #expect(
            kept == [
                "pg_wal/00000001.notes", "pg_wal/000000010000000000000001.mine", "pg_wal/20261128",
                "pg_wal/new\\x0aline",
            ])
    }

    @Test func `of archive_status, what is no server's stays`() throws {
        try TestDirectory.make(at: "\(path)/pg_wal")
        try TestDirectory.make(at: "\(path)/pg_wal/archive_status")
        for name in [
            "000000010000000000000001.done", "00000002.history.ready", "00000001000000000000000B.00000028.backup.done",
            "mine.txt", "mine.done",
        ] { try TestDirectory.write("", to: "\(path)/pg_wal/archive_status/\(name)") }
        let kept = try walk(removes: false).kept
        #expect(kept == ["pg_wal/archive_status/mine.done", "pg_wal/archive_status/mine.txt"])
    }

    @Test func `a file with another name comes whole, and keeps the room that it has`() throws {
        try TestDirectory.make(at: "\(path)/base")
        try TestDirectory.make(at: "\(path)/base/1")
        try TestDirectory.write("four", to: "\(path)/base/1/100")
        #expect(try walk(removes: false).figures.sameSize.files == 1)
        try FileManager.default.linkItem(atPath: "\(path)/base/1/100", toPath: "\(outside)/other")
        let found = try walk(removes: false)
        #expect(found.figures.sameSize.files == 0 && found.figures.missing.files == 6)
        #expect(found.replaced == ["base/1/100"] && found.figures.held[0] == nil)
    }

    @Test func `in the place of a file that the source has, a directory of the user's is refused`() throws {
        try TestDirectory.make(at: "\(path)/PG_VERSION")
        try TestDirectory.write("mine", to: "\(path)/PG_VERSION/file")
        #expect(throws: (any Error).self) { _ = try walk(removes: true) }
        #expect(try FileTree.text("\(path)/PG_VERSION/file") == "mine")
    }
}
