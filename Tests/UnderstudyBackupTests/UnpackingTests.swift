import Testing
import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup

@Suite("Unpacking archives into directories")
struct UnpackingTests {
    static let sizes = [
        0, 1, 511, 512, 513, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) - 1, 2 << 20,
        (2 << 20) + 1, (5 << 20) + 4097,
    ]

    @Test(
        "every file has its bytes, its mode and its checksum, however the archive is cut",
        arguments: [100_000_000, 32768, 7777])
    func content(_ piece: Int) throws {
        let unpacking = try Unpacking()
        var archive = TarBytes()
        var contents: [String: [UInt8]] = [:]
        archive.directory("base", mode: 0o750)
        // Twice, so that each size comes after each kind of neighbour.
        for (index, size) in (Self.sizes + Self.sizes.reversed()).enumerated() {
            let content = [UInt8].pattern(size, seed: index)
            contents["base/\(index)"] = content
            archive.file("base/\(index)", content, mode: index % 2 == 0 ? 0o600 : 0o640)
        }
        try unpacking.unpack(archive, piece: piece)
        try unpacking.drain()
        for (name, content) in contents {
            #expect(try unpacking.content(name) == content, "\(name)")
            #expect(try unpacking.check(name, content) == .verified, "\(name)")
        }
        #expect(unpacking.ledger.unlistedCount == 0)
        #expect(try FileTree.mode("\(unpacking.path)/base") == 0o750)
        #expect(try FileTree.mode("\(unpacking.path)/base/0") == 0o600)
        #expect(try FileTree.mode("\(unpacking.path)/base/1") == 0o640)
        #expect(FileTree.names("\(unpacking.path)/base").count == contents.count)
    }

    @Test("thousands of small and empty files share blocks, and none is lost")
    func small() throws {
        let unpacking = try Unpacking()
        var archive = TarBytes()
        let count = 5000
        for index in 0..<count { archive.file("f\(index)", .pattern(index % 3 == 0 ? 0 : index, seed: index)) }
        try unpacking.unpack(archive)
        try unpacking.drain()
        for index in 0..<count {
            let content = [UInt8].pattern(index % 3 == 0 ? 0 : index, seed: index)
            #expect(try unpacking.content("f\(index)", atMost: 8192) == content)
            #expect(try unpacking.check("f\(index)", content) == .verified)
        }
    }

    @Test(
        "names that a server of this version gives no meaning to are anybody's",
        arguments: [("backup_manifest", 120_000), ("backup_manifest.tmp", 150_000), ("tablespace_map", 90_400)])
    func foreignNames(_ name: String, _ version: Int) throws {
        let unpacking = try Unpacking(.init(version: ServerVersion(number: version)))
        var archive = TarBytes()
        archive.file(name, .pattern(7, seed: 1))
        try unpacking.unpack(archive)
        try unpacking.drain()
        #expect(try unpacking.content(name) == .pattern(7, seed: 1))
    }

    @Test("a file of another content has another checksum", arguments: ChecksumAlgorithm.allCases)
    func checksums(_ algorithm: ChecksumAlgorithm) throws {
        let unpacking = try Unpacking(.init(algorithm: algorithm))
        var archive = TarBytes()
        archive.file("right", [1, 2, 3])
        archive.file("wrong", [1, 2, 3])
        try unpacking.unpack(archive)
        try unpacking.drain()
        #expect(try unpacking.check("right", [1, 2, 3], algorithm) == .verified)
        #expect(try unpacking.check("wrong", [1, 2, 4], algorithm) == .checksumDiffers)
    }

    @Test("set-user-ID and the like are taken off, and what a data directory has for nobody")
    func modes() throws {
        let unpacking = try Unpacking()
        var archive = TarBytes()
        archive.directory("dir", mode: 0o7755)
        archive.file("dir/file", [1], mode: 0o6755)
        try unpacking.unpack(archive)
        try unpacking.drain()
        #expect(try FileTree.mode("\(unpacking.path)/dir") == 0o750)
        #expect(try FileTree.mode("\(unpacking.path)/dir/file") == 0o640)
        #expect(unpacking.executables.list == "\"dir/file\"")
    }

    @Test("everything is gone again after a failure, and what was there is not")
    func restore() throws {
        let base = try TestDirectory.make("restore")
        try TestDirectory.write("precious", to: "\(base)/file")
        let before = FileTree.snapshot(base)
        let unpacking = try Unpacking(.init(base: base, hasWALDirectory: true, tablespaces: [16385]))
        var archive = TarBytes()
        archive.directory("pg_tblspc")
        archive.link("pg_tblspc/16385", to: "/somewhere")
        archive.file("file", .pattern(3 << 20, seed: 1))
        try unpacking.unpack(archive)
        try unpacking.drain()
        try unpacking.targets.sync()
        #expect(unpacking.targets.restore().isEmpty)
        #expect(FileTree.snapshot(base) == before)
    }

    // MARK: WAL directory

    @Test("what is below pg_wal goes to the WAL directory apart", arguments: [90624, 170_000])
    func walDirectory(_ number: Int) throws {
        let version = ServerVersion(number: number)
        let name = version.walDirectoryName
        let unpacking = try Unpacking(.init(version: version, hasWALDirectory: true, includesWAL: true))
        var archive = TarBytes()
        archive.directory(name)
        archive.directory("./\(name)/archive_status")
        if !version.usesXlogName { archive.directory("\(name)/summaries") }
        archive.file("\(name)/000000010000000000000003", .pattern(1 << 20, seed: 3))
        archive.file("\(name)/archive_status/000000010000000000000003.done", [])
        archive.file("\(name)x", [1])
        try unpacking.unpack(archive)
        try unpacking.drain()
        #expect(try FileTree.linkTarget("\(unpacking.path)/\(name)") == "\(unpacking.base)/wal")
        #expect(
            Unpacking.names("\(unpacking.base)/wal")
                == ["000000010000000000000003", "archive_status"] + (version.usesXlogName ? [] : ["summaries"]))
        #expect(
            FileTree.names("\(unpacking.base)/wal/archive_status") == ["000000010000000000000003.done"])
        #expect(Unpacking.names(unpacking.path) == [name, "\(name)x"].sorted())
        // The manifest knows nothing of where the directory is.
        #expect(
            try unpacking.check("\(name)/000000010000000000000003", .pattern(1 << 20, seed: 3)) == .verified)
    }

    @Test("a file in place of the WAL directory is refused")
    func walDirectoryIsFile() throws {
        let unpacking = try Unpacking(.init(hasWALDirectory: true))
        let error = unpacking.failure { $0.file("pg_wal", [1]) }
        #expect(error?.code == .protocolViolation)
    }

    // MARK: Tablespaces

    @Test("a tablespace has its own directory, and a link to it at its OID")
    func tablespaces() throws {
        let unpacking = try Unpacking(.init(tablespaces: [16385]))
        var tablespace = TarBytes(), base = TarBytes()
        tablespace.directory("PG_15_202209061")
        tablespace.file("PG_15_202209061/1", .pattern(9000, seed: 1))
        // A name that means something in the data directory means nothing here.
        tablespace.directory("PG_15_202209061/pg_wal")
        tablespace.file("PG_15_202209061/pg_wal/1", [7])
        try unpacking.unpack(tablespace, tablespace: 16385)
        base.directory("pg_tblspc")
        base.link("pg_tblspc/16385", to: "/srv/primary/ts")
        try unpacking.unpack(base)
        try unpacking.drain()
        #expect(try FileTree.linkTarget("\(unpacking.path)/pg_tblspc/16385") == "\(unpacking.base)/16385")
        #expect(Unpacking.names("\(unpacking.base)/16385") == ["PG_15_202209061"])
        #expect(
            try unpacking.check("pg_tblspc/16385/PG_15_202209061/1", .pattern(9000, seed: 1)) == .verified)
    }

    @Test("it is known which links to tablespaces have come: that of one which was dropped meanwhile does not")
    func missingLink() throws {
        let unpacking = try Unpacking(.init(tablespaces: [16384, 16385]))
        var base = TarBytes()
        base.directory("pg_tblspc")
        base.link("pg_tblspc/16384", to: "/srv/primary/ts")
        try unpacking.unpack(base)
        #expect(unpacking.linked == [16384])
    }

    @Test("in the place of a tablespace nothing stands but its link, or its directory if it has no other place")
    func tablespacePlaces() throws {
        for path in ["pg_tblspc/16385", "pg_tblspc/16385/x", "pg_tblspc/16386", "pg_tblspc/16386/x"] {
            let unpacking = try Unpacking(.init(tablespaces: [16385], inPlaceTablespaces: [16386]))
            var base = TarBytes()
            base.file(path, [1])
            let error = #expect(throws: UnderstudyError.self, "\(path)") { try unpacking.unpack(base) }
            #expect(error?.code == .protocolViolation, "\(path)")
            #expect(error?.message.contains("in the place of tablespace 1638") == true, "\(path)")
        }
    }

    @Test("a tablespace in the data directory is a directory at its OID")
    func inPlace() throws {
        let unpacking = try Unpacking(.init(tablespaces: [16385], inPlaceTablespaces: [16386]))
        var tablespace = TarBytes(), base = TarBytes()
        tablespace.directory("PG_15_202209061")
        tablespace.file("PG_15_202209061/1", [1, 2])
        try unpacking.unpack(tablespace, tablespace: 16386)
        base.directory("pg_tblspc")
        base.link("pg_tblspc/16385", to: "/srv/primary/ts")
        base.directory("pg_tblspc/16386")
        try unpacking.unpack(base)
        try unpacking.drain()
        #expect(FileTree.names("\(unpacking.path)/pg_tblspc") == ["16385", "16386"])
        #expect(try unpacking.content("pg_tblspc/16386/PG_15_202209061/1") == [1, 2])
        #expect(try unpacking.check("pg_tblspc/16386/PG_15_202209061/1", [1, 2]) == .verified)
    }
}
