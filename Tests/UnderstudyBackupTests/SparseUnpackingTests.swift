import Testing
import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyBackup

@Suite("Unpacking archives into files with holes")
struct SparseUnpackingTests {
    /// Not whole pages, so that the last block goes through the page cache.
    private static let holey =
        [UInt8].pattern(3 << 20, seed: 1) + [UInt8](repeating: 0, count: 21 << 20) + [UInt8].pattern(777, seed: 2)

    @Test(
        "a run over many batches is one, and its zeros are in the checksum", arguments: [true, false], [32768, 7777])
    func content(_ leavesHoles: Bool, _ piece: Int) throws {
        let base = try TestDirectory.makeOnDisk("sparse")
        let unpacking = try Unpacking(.init(base: base, tablespaces: [16385], leavesHoles: leavesHoles))
        var archive = TarBytes(), space = TarBytes()
        archive.file("before", .pattern(1 << 20, seed: 3))
        archive.file("holey", Self.holey)
        archive.file("after", .pattern(5, seed: 4))
        space.directory("PG_15_202209061")
        space.directory("PG_15_202209061/5")
        space.file("PG_15_202209061/5/1", Self.holey)
        try unpacking.unpack(archive, piece: piece)
        try unpacking.unpack(space, tablespace: 16385, piece: piece)
        try unpacking.drain()
        let bytes = try FileTree.allocated("\(unpacking.path)/holey")
        #expect(leavesHoles ? bytes < 5 << 20 : bytes >= 24 << 20, "\(bytes) bytes")
        #expect(try same(unpacking.content("holey", atMost: 32 << 20), Self.holey))
        #expect(try unpacking.content("before") == .pattern(1 << 20, seed: 3))
        #expect(try unpacking.content("after") == .pattern(5, seed: 4))
        #expect(try same(FileTree.bytes("\(base)/16385/PG_15_202209061/5/1"), Self.holey))
        #expect(try unpacking.check("holey", Self.holey) == .verified)
        #expect(try unpacking.check("pg_tblspc/16385/PG_15_202209061/5/1", Self.holey) == .verified)
    }

    @Test("WAL has none, wherever it goes", arguments: [true, false])
    func wal(_ hasWALDirectory: Bool) throws {
        let unpacking = try Unpacking(
            .init(
                base: TestDirectory.makeOnDisk("sparse"), hasWALDirectory: hasWALDirectory, includesWAL: true,
                leavesHoles: true))
        let segment = [UInt8].pattern(8192, seed: 1) + [UInt8](repeating: 0, count: (32 << 20) - 8192)
        let name = "pg_wal/000000010000000000000003"
        var archive = TarBytes()
        archive.directory("pg_wal")
        archive.file(name, segment)
        try unpacking.unpack(archive)
        try unpacking.drain()
        let directory = hasWALDirectory ? "\(unpacking.base)/wal" : "\(unpacking.path)/pg_wal"
        #expect(try FileTree.allocated("\(directory)/000000010000000000000003") >= segment.count)
        #expect(try unpacking.check(name, segment) == .verified)
    }
}
