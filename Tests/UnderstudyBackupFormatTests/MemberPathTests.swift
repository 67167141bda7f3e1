import Testing
import UnderstudyBackupFormat

@Suite struct MemberPathTests {
    @Test(arguments: [
        ("base/1/1259", "base/1/1259"), ("./pg_wal/archive_status/", "pg_wal/archive_status"), ("././a", "a"),
        ("pg_tblspc/16385//", "pg_tblspc/16385"), ("...", "..."), ("..a/b..", "..a/b.."), (".hidden", ".hidden"),
        ("a b/ï", "a b/ï"),
    ])
    func `leading dots and trailing slashes are taken away`(name: String, expected: String) throws {
        #expect(try MemberPath(name).string == expected)
    }

    @Test(
        arguments: [
            ("", .empty), ("./", .dotComponent), ("/", .absolute), ("/etc/passwd", .absolute),
            (".//etc", .emptyComponent),
            ("..", .parentComponent), ("../a", .parentComponent), ("a/..", .parentComponent),
            ("a/../../b", .parentComponent),
            ("./../a", .parentComponent), ("a/../", .parentComponent), (".", .dotComponent), ("a/./b", .dotComponent),
            ("a//b", .emptyComponent), ("a\0b", .containsNUL), ("a\0", .containsNUL),
        ] as [(String, MemberPath.Flaw)])
    func `what leads elsewhere is refused`(name: String, flaw: MemberPath.Flaw) {
        #expect(throws: flaw) { try MemberPath(name) }
    }

    @Test func `names are bytes, and are escaped for people`() throws {
        let path = try MemberPath([0x61, 0xFF, 0x5C, 0x0A])
        #expect(path.string == nil)
        #expect(path.bytes == [0x61, 0xFF, 0x5C, 0x0A])
        #expect("\(path)" == "a\\xff\\\\\\x0a")
        #expect("\(try MemberPath("naïve\u{1B}[31m\u{85}"))" == "naïve\\x1b[31m\\xc2\\x85")
    }

    @Test func `a path is joined to a directory, and known to be beneath it`() throws {
        let path = try MemberPath("pg_tblspc/16385").appending(try MemberPath("PG_15/1/2"))
        #expect(path == (try MemberPath("pg_tblspc/16385/PG_15/1/2")))
        #expect(path.isBeneath("pg_tblspc"))
        #expect(path.isBeneath("pg_tblspc/16385"))
        #expect(!path.isBeneath("pg_tbl"))
        #expect(!(try MemberPath("pg_wal").isBeneath("pg_wal")))
        #expect(!(try MemberPath("pg_wal2/x").isBeneath("pg_wal")))
    }
}
