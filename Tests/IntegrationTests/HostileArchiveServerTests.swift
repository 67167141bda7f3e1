import Testing
import Understudy
import UnderstudyTestSupport

/// Servers that send archives with which no server's own tar ever begins: by the real libpq into real directories.
@Suite struct HostileArchiveServerTests {
    @Test(arguments: PlayedServer.Version.allCases)
    func `without a flaw the played backup succeeds`(version: PlayedServer.Version) async throws {
        let around = try Surroundings()
        let server = try PlayedServer(version).serve()
        let result = try await around.backup(server).run(into: .directory(around.target))
        #expect(result.verifiedFiles == (version.hasManifest ? 5 : nil))
        #expect(try FileTree.text("\(around.space)/\(version.spaceDirectory)/1") == "space")
        #expect(try FileTree.linkTarget("\(around.target)/pg_tblspc/16385") == around.space)
        #expect(FileTree.exists("\(around.target)/pg_wal/000000010000000000000003"))
        #expect(!FileTree.names(around.target).contains("pgsql_tmp.understudy"))
    }

    @Test(arguments: PlayedServer.Version.allCases)
    func `the link to a tablespace is made though it does not come, as when that is dropped meanwhile`(
        version: PlayedServer.Version
    ) async throws {
        let around = try Surroundings()
        var played = PlayedServer(version)
        try played.removeLink()
        let server = try played.serve()
        _ = try await around.backup(server).run(into: .directory(around.target))
        #expect(try FileTree.linkTarget("\(around.target)/pg_tblspc/16385") == around.space)
    }

    private static let names: [Attack] = [
        .member("a path that leads up", word: "../x", tar: TarBuilder.file("../x", [1])),
        .member("a path that leads up in its middle", word: "a/../../x", tar: TarBuilder.file("a/../../x", [1])),
        .member("a path that leads up behind a dot", word: "./../x", tar: TarBuilder.file("./../x", [1])),
        .member("a path that ends above", tar: TarBuilder.header("base/..", .type("5"))),
        .member("the directory above", tar: TarBuilder.header("../", .type("5"))),
        .member("a path from the root on", word: "/tmp/x", tar: TarBuilder.file("/tmp/x", [1])),
        .member("a path from the root on by its prefix", tar: TarBuilder.header("x", .prefix("/tmp"))),
        .member("no name", tar: TarBuilder.file("", [1])),
        .member("the directory itself as a file", tar: TarBuilder.file(".", [1])),
        .member("a name with bytes behind a NUL", tar: TarBuilder.header("", .name(Array("a\0b".utf8)))),
        .member("a long name of GNU", tar: TarBuilder.header("././@LongLink", size: 10_000, .type("L"))),
        .member("a long name of pax", tar: TarBuilder.header("x", size: 10_100, .type("x"))),
        .member("a global header of pax", tar: TarBuilder.header("x", size: 10_100, .type("g"))),
        .member("a file whose name ends in a slash", tar: TarBuilder.file("base/x/", [1])),
        .member(
            "a file called as the mark of an unfinished backup", word: "pgsql_tmp.understudy",
            tar: TarBuilder.file("pgsql_tmp.understudy", [1])),
        .member("a manifest as a file", versions: [.v14, .v16], tar: TarBuilder.file("backup_manifest", [1])),
        .member(
            "a manifest on its way as a file",
            tar: TarBuilder.file("pgsql_tmp.understudy.backup_manifest", [1])),
        .member("a tablespace map", tar: TarBuilder.file("tablespace_map", [1])),
        .member(
            "a segment that is being streamed", word: "without files unless it is asked for them",
            tar: TarBuilder.header("pg_wal/", .type("5"))
                + TarBuilder.file("pg_wal/000000010000000000000003", [1])),
    ]

    private static let kinds: [Attack] = [
        .member("a link that leads out", tar: TarBuilder.header("link", .type("2"), .link("/tmp"))),
        .member("a link that leads up", tar: TarBuilder.header("link", .type("2"), .link("../outside"))),
        .member(
            "a link, and a file through it",
            tar: TarBuilder.header("link", .type("2"), .link("../outside")) + TarBuilder.file("link/file", [1])),
        .member("pg_wal as a link", tar: TarBuilder.header("pg_wal", .type("2"), .link("../outside"))),
        .member(
            "postgresql.auto.conf as a link",
            tar: TarBuilder.header("postgresql.auto.conf", .type("2"), .link("../x"))),
        .member(
            "a tablespace that was not announced", word: "16999",
            tar: TarBuilder.header("pg_tblspc/", .type("5"))
                + TarBuilder.header("pg_tblspc/16999", .type("2"), .link("../../outside"))),
        .member(
            "a tablespace link with another number's writing",
            tar: TarBuilder.header("pg_tblspc/", .type("5"))
                + TarBuilder.header("pg_tblspc/016385", .type("2"), .link("/srv/space"))),
        Attack("a file through the link of a tablespace", .fileSystem, .protocolViolation) {
            let trailer = $0.version.hasOneCopy ? 1024 : 0
            $0.archives[1].removeLast(trailer)
            $0.archives[1] +=
                TarBuilder.file("pg_tblspc/16385/\($0.version.spaceDirectory)/2", [1]) + TarBuilder.zeros(trailer)
        },
        .member("a hard link", tar: TarBuilder.header("x", .type("1"), .link("../x"))),
        .member("a character device", tar: TarBuilder.header("x", .type("3"))),
        .member("a block device", tar: TarBuilder.header("x", .type("4"))),
        .member("a fifo", tar: TarBuilder.header("x", .type("6"))),
        .member("an unknown kind", tar: TarBuilder.header("x", .type("Z"))),
        .member(
            "a file twice", .fileSystem, .protocolViolation,
            tar: TarBuilder.file("twice", [1]) + TarBuilder.file("twice", [2])),
        .member(
            "a directory twice", .fileSystem, .protocolViolation,
            tar: TarBuilder.header("twice/", .type("5")) + TarBuilder.header("twice/", .type("5"))),
        .member(
            "a file where a directory was", .fileSystem, .protocolViolation,
            tar: TarBuilder.header("d/", .type("5")) + TarBuilder.file("d", [1])),
        .member(
            "a directory where a file was", .fileSystem, .protocolViolation,
            tar: TarBuilder.file("d", [1]) + TarBuilder.header("d/", .type("5"))),
        .member(
            "a file below a file", .fileSystem, .protocolViolation,
            tar: TarBuilder.file("d", [1]) + TarBuilder.file("d/x", [1])),
        .member("a file in no directory", .fileSystem, .protocolViolation, tar: TarBuilder.file("no/such/x", [1])),
    ]

    private static let sizes: [Attack] = [
        .member("a size below zero", tar: TarBuilder.header("x", .size([UInt8](repeating: 0xFF, count: 12)))),
        .member("a size with a sign", tar: TarBuilder.header("x", .size(Array("-0000000001 ".utf8)))),
        .member("a size in letters", tar: TarBuilder.header("x", .size(Array("abcdefghijk ".utf8)))),
        .member("no size", tar: TarBuilder.header("x", .size(TarBuilder.zeros(12)), .checksum("0000001\0"))),
        .member(
            "a size beyond all numbers",
            tar: TarBuilder.header("x", .size([0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]))),
        .member(
            "a size of an exbibyte", .noSpace, .fileSystem, .protocolViolation,
            tar: TarBuilder.header("x", .size([0x80, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]))),
        .member(
            "a size that swallows the rest", .protocolViolation, .verification,
            tar: TarBuilder.header("x", size: 40_000)),
        .member("a directory with content", tar: TarBuilder.header("d/", size: 512, .type("5"))),
        .member("a wrong checksum", tar: TarBuilder.header("x", .checksum("0000001\0"))),
        .member("no checksum", tar: TarBuilder.header("x", .checksum("\0\0\0\0\0\0\0\0"))),
        .member("no tar at all", tar: [UInt8](repeating: 0x55, count: 512)),
        Attack("no pg_control, and no manifest that tells of it", word: "pg_control", versions: [.v12]) {
            let file = TarBuilder.file("global/pg_control", PlayedServer.page)
            $0.archives[1] = $0.archives[1].replacing(file, with: [])
        },
        Attack("an archive cut in a header") { $0.archives[0].removeLast($0.archives[0].count - 700) },
        Attack("an archive cut in a file") { $0.archives[1].removeLast(5000) },
        Attack("an archive without its trailer", versions: [.v16]) { $0.archives[1].removeLast(1024) },
        Attack("bytes behind the archive") { $0.archives[1] += [UInt8](repeating: 7, count: 512) },
        Attack("a member behind the trailer", versions: [.v16]) { $0.archives[1] += TarBuilder.file("late", [1]) },
        Attack("an empty archive", versions: [.v16]) { $0.archives[1] = [] },
    ]

    @Test(arguments: AttackOnVersion.all(names + kinds + sizes))
    func `an archive that is wrong is refused, and leaves nothing`(what: AttackOnVersion) async throws {
        try await expectRefused(what)
    }

    /// There a tablespace map is asked for.
    @Test(arguments: AttackOnVersion.all((names + kinds + sizes).filter { $0.testDescription != "a tablespace map" }))
    func `it is refused where archives are kept as such, too`(what: AttackOnVersion) async throws {
        var played = PlayedServer(what.version)
        // It was asked for a map in place of links.
        try played.removeLink()
        what.attack.make(&played)
        let server = try played.serve()
        let around = try Surroundings()
        let error = await #expect(throws: UnderstudyError.self) {
            var backup = around.backup(server)
            backup.options.tablespaceMappings = []
            return try await backup.run(into: .tarFiles(around.target))
        }
        #expect(what.attack.codes.contains(try #require(error?.code)), "\(error as Any)")
        around.expectUntouched("\(error as Any)")
    }

    /// By a user that such a directory is closed to; root would not notice.
    @Test(arguments: ["0000000 ", "0000600 ", "0000500 ", "0000300 "])
    func `a directory that is closed to its owner goes with the rest`(mode: String) throws {
        var played = PlayedServer(.v16)
        played.archives[1] =
            TarBuilder.header("a/", .type("5"), .mode("0000700 ")) + TarBuilder.header("a/b/", .type("5"), .mode(mode))
            + TarBuilder.header("c/", .type("5"), .mode(mode)) + TarBuilder.file("../x", [1])
        let server = try played.serve()
        let around = try Surroundings()
        let result = try UnderstudyProgram.run([
            "basebackup", "-h", "127.0.0.1", "-p", "\(server.port)", "-U", "r", "-D", around.target, "-T",
            "/srv/space=\(around.space)",
        ])
        #expect(result.status == 1, "\(result)")
        around.expectUntouched("\(result)")
    }

    /// PostgreSQL's file names may hold any bytes but a slash.
    @Test(arguments: [Array("with\nline".utf8), [0xFF, 0xFE, 0x80], Array("with space, 'quote' and ä".utf8)])
    func `a name is bytes, and arrives as such`(name: [UInt8]) async throws {
        var played = PlayedServer(.v12)
        played.archives[1] = TarBuilder.header("", size: 0, .name(name)) + played.archives[1]
        let around = try Surroundings()
        let server = try played.serve()
        _ = try await around.backup(server).run(into: .directory(around.target))
        let listing = try Program.filter("ls -1 --zero", around.target).split(separator: 0)
        #expect(listing.contains(name[...]))
    }

    @Test(arguments: ["0700", "0750"])
    func `of modes only what data_directory_mode allows is taken over`(mode: String) async throws {
        var played = PlayedServer(.v12)
        played.directoryMode = [[mode]]
        played.archives[1] =
            TarBuilder.header("suid", .mode("0006777 ")) + TarBuilder.header("open/", .type("5"), .mode("0000777 "))
            + TarBuilder.header("open/all", .mode("0000666 ")) + played.archives[1]
        let around = try Surroundings()
        let server = try played.serve()
        _ = try await around.backup(server).run(into: .directory(around.target))
        #expect(try FileTree.mode("\(around.target)/suid") == (mode == "0700" ? 0o600 : 0o640))
        #expect(try FileTree.mode("\(around.target)/open") == (mode == "0700" ? 0o700 : 0o750))
        #expect(try FileTree.mode("\(around.target)/open/all") == (mode == "0700" ? 0o600 : 0o640))
    }
}

extension PlayedServer {
    /// As if the tablespace were dropped meanwhile.
    mutating func removeLink() throws {
        let link = Array("pg_tblspc/16385\0".utf8)
        let places = stride(from: 0, to: archives[1].count, by: 512)
        let header = try #require(places.first { archives[1][$0...].starts(with: link) })
        archives[1].removeSubrange(header..<header + 512)
    }

}
