import Glibc
import Testing
import UnderstudyTestSupport

/// What `understudy receivewal` leaves, byte for byte, beside what the server has and what the stock tool leaves.
@Suite(.disabled(if: isStock)) struct ReceivewalBytesTests {
    private static let kinds: [(PostgresInstallation, Int)] =
        PostgresInstallation.all.flatMap { [($0, 1), ($0, 16)] }
        + PostgresInstallation.all.suffix(1).map { ($0, 64) }

    @Test(arguments: kinds)
    func `segments equal the server's, and the files are those of the stock tool`(
        installation: PostgresInstallation, megabytes: Int
    ) throws {
        let cluster = try Cluster.keepingWAL(installation, segmentMegabytes: megabytes)
        try Workload.prepare(cluster)
        let ours = try WALArchive(), stock = try WALArchive()
        try cluster.finishSegment()
        try cluster.makeSlot("ours")
        try cluster.makeSlot("stock")
        let our = try ours.receive(from: cluster, ["-S", "ours"])
        let their = try stock.receive(from: cluster, ["-S", "stock"], by: .stock)
        let load = try Workload(on: cluster, rate: 500)
        // Full ones and one that ends early.
        try cluster.writeWAL(kilobytes: megabytes == 1 ? 5000 : 1000)
        try cluster.finishSegment()
        try load.stop()
        let last = try cluster.finishSegment()
        let begun = try cluster.sql("CREATE TABLE later AS SELECT 1 AS n; SELECT pg_walfile_name(pg_current_wal_lsn())")
        for (archive, program) in [(ours, our), (stock, their)] {
            try archive.wait(for: last, program)
            try eventually("\(begun).partial") { archive.partials == ["\(begun).partial"] }
        }
        let results = [our.stop(SIGINT), their.stop(SIGINT)]
        #expect(results.map(\.status) == [0, 0], "\(results)")
        // Before 15 the stock tool does not know where its slot begins.
        let first = installation.major < 15 ? stock.names.first ?? "" : ""
        #expect(ours.names.filter { $0 >= first } == stock.names)
        #expect(ours.segments.count >= (megabytes == 1 ? 6 : 2))
        #expect(FileTree.names(ours.path) == ours.names)
        #expect(try ours.differences(from: cluster) == [])
        #expect(try stock.differences(from: cluster) == [])
        for name in stock.names {
            #expect(try FileTree.mode("\(ours.path)/\(name)") == FileTree.mode("\(stock.path)/\(name)"))
        }
        let sizes = try Program.check("/bin/sh", ["-c", "stat -c %s \(ours.path)/* | sort -u"]).line
        #expect(sizes == String(megabytes << 20))
    }

    @Test(arguments: [("gzip", ".gz"), ("gzip:9", ".gz"), ("lz4", ".lz4"), ("zstd", ".zst"), ("zstd:1", ".zst")])
    func `compressed segments hold the server's bytes`(method: String, suffix: String) throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster, ["-Z", method])
        try cluster.waitForStream(program)
        try cluster.writeWAL(kilobytes: 3000)
        let last = try cluster.finishSegment()
        let position = try cluster.sql("CREATE TABLE later AS SELECT 1; SELECT pg_current_wal_flush_lsn()")
        try archive.wait(for: last, program)
        try cluster.waitForFlush(of: position, program)
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        #expect(archive.segments.count >= 4)
        #expect(archive.segments.allSatisfy { $0.hasSuffix(suffix) })
        #expect(archive.partials.count == 1 && archive.partials[0].hasSuffix("\(suffix).partial"))
        #expect(try archive.differences(from: cluster) == [])
        // What was acknowledged of the last one can be read, though the file has no end. zstd(1) keeps back what it has
        // decoded of the last block, unless another one follows: three bytes are an empty one.
        let offset = try cluster.sql("SELECT ('\(position)'::pg_lsn - '0/0'::pg_lsn)::bigint % 1048576")
        let tool = String(method.prefix { $0 != ":" })
        let end = tool == "zstd" ? "printf '\\001\\000\\000'" : "true"
        let script = """
            { cat \(archive.path)/\(archive.partials[0]); \(end); } | \(tool) -dc 2>/dev/null | head -c \(offset) > \(archive.path)/plain
            head -c \(offset) \(cluster.directory)/pg_wal/\(archive.partials[0].prefix(24)) | cmp - \(archive.path)/plain
            """
        let comparison = try Program.run("/bin/sh", ["-c", script])
        #expect(comparison.status == 0, "\(comparison)")
    }

    @Test func `an archive on each file system is the same`() throws {
        let kinds: [MountedFileSystem.Kind] = [.small(bytes: 32 << 20), .ram, .overlay, .disk("ext4", megabytes: 64)]
        let cluster = try Cluster.keepingWAL(.newest)
        for kind in kinds where MountedFileSystem.can(kind) {
            let disk = try MountedFileSystem(kind)
            let archive = try WALArchive(at: disk.path)
            let program = try archive.receive(from: cluster)
            try cluster.waitForStream(program)
            try cluster.writeWAL(kilobytes: 2000)
            try archive.wait(for: try cluster.finishSegment(), program)
            let result = program.stop()
            #expect(result.status == 0, "\(kind): \(result)")
            #expect(archive.segments.count >= 2, "\(kind)")
            #expect(try archive.differences(from: cluster) == [], "\(kind)")
        }
    }
}
