import Foundation
import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

/// Page checksums of real clusters.
@Suite(.disabled(if: isStock)) struct PageChecksumTests {
    private static let pageSize = 8192

    /// Calls `body` with each page of a file that is not new, and with its number in the file.
    private func forEachPage(_ bytes: [UInt8], _ body: (RawSpan, UInt32, PageHeader) throws -> Void) throws {
        #expect(bytes.count.isMultiple(of: Self.pageSize))
        for start in stride(from: 0, to: bytes.count, by: Self.pageSize) {
            let page = bytes.rawSpan.extracting(start..<start + Self.pageSize)
            let found = PageHeader(page)
            let header = try #require(found)
            if !header.isNew { try body(page, UInt32(start / Self.pageSize), header) }
        }
    }

    @Test func `every page of a cluster has its checksum, and flipped bits are found`() throws {
        let cluster = try Cluster(.newest)
        try cluster.sql("CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM generate_series(1, 60000) i")
        try cluster.sql("CREATE INDEX ON t (m); VACUUM t")
        let table = try cluster.sql("SELECT pg_relation_filepath('t')")
        let end = try cluster.sql("SELECT pg_current_wal_insert_lsn() - '0/0'")
        try cluster.stop()
        var checked = 0, forks: Set<RelationFileName.Fork> = []
        for path in try FileManager.default.subpathsOfDirectory(atPath: cluster.directory) {
            guard path.hasPrefix("base/") || path.hasPrefix("global/"),
                let file = RelationFileName(parsing: (path as NSString).lastPathComponent.utf8),
                // Directories of databases have numbers as names, too.
                let bytes = try? FileTree.bytes("\(cluster.directory)/\(path)"), !bytes.isEmpty
            else { continue }
            forks.insert(file.fork)
            try forEachPage(bytes) { page, block, header in
                checked += 1
                #expect(header.hasLayout(blockSize: Self.pageSize), "\(path), block \(block)")
                #expect(header.lsn <= UInt64(end) ?? 0, "\(path), block \(block)")
                let checksum = PageChecksum.compute(page, block: block)
                #expect(checksum == header.checksum, "\(path), block \(block)")
                #expect(PageChecksum.compute(page, block: block ^ 1) != header.checksum, "\(path), block \(block)")
            }
        }
        #expect(checked > 2000 && forks.isSuperset(of: [.main, .freeSpaceMap, .visibilityMap]))

        let bytes = try FileTree.bytes("\(cluster.directory)/\(table)")
        var generator = SplitMix64(state: 15), missed = 0
        for _ in 0..<1000 {
            let block = Int.random(in: 0..<bytes.count / Self.pageSize, using: &generator)
            var page = Array(bytes[block * Self.pageSize..<(block + 1) * Self.pageSize])
            page[Int.random(in: 0..<page.count, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            let found = PageHeader(page.rawSpan)
            let header = try #require(found)
            if PageChecksum.compute(page.rawSpan, block: UInt32(block)) == header.checksum { missed += 1 }
        }
        // One flip in 65,535 leaves a checksum of 16 bits as it was: two in a thousand are a matter of 1 run in 10,000.
        #expect(missed < 2)
    }

    /// What a second segment holds, without the 1 GiB before it: the stock tool computes the checksums anew.
    @Test func `the numbers of blocks go on in the second segment`() throws {
        let cluster = try Cluster(.newest)
        try cluster.sql("CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 2000) i")
        let path = try cluster.directory + "/" + cluster.sql("SELECT pg_relation_filepath('t')")
        let setting = try cluster.sql("SELECT setting FROM pg_settings WHERE name = 'segment_size'")
        let blocksPerSegment = try #require(UInt32(setting))
        try cluster.stop()
        try FileManager.default.moveItem(atPath: path, toPath: "\(path).1")
        try TestDirectory.write("", to: path)
        let first = try #require(FileHandle(forWritingAtPath: path))
        try first.truncate(atOffset: UInt64(blocksPerSegment) * UInt64(Self.pageSize))
        try first.close()
        for mode in ["--disable", "--enable"] {
            try Program.check(
                cluster.installation.program("pg_checksums"), [mode, "--no-sync", "-D", cluster.directory])
        }
        let file = try #require(RelationFileName(parsing: "\((path as NSString).lastPathComponent).1".utf8))
        let start = try #require(file.firstBlock(blocksPerSegment: blocksPerSegment))
        #expect(start == blocksPerSegment)
        var checked = 0
        try forEachPage(try FileTree.bytes("\(path).1")) { page, block, header in
            checked += 1
            #expect(PageChecksum.compute(page, block: start + block) == header.checksum)
            #expect(PageChecksum.compute(page, block: block) != header.checksum)
        }
        #expect(checked > 10)
    }
}
