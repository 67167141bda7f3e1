import Foundation
import Testing
import UnderstudyTestSupport

/// File systems that are full, small, slow to tell, read-only or broken; and those on which a backup must succeed.
@Suite(.disabled(if: isStock), .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
struct DiskTests {
    // MARK: - Success

    /// File systems with direct writes and without, with syncfs and without.
    private static let kinds: [MountedFileSystem.Kind] =
        [.small(bytes: 256 << 20), .ram, .overlay]
        + ["ext4", "xfs", "btrfs"].map { .disk($0, megabytes: 400) }.filter(MountedFileSystem.can)

    @Test(arguments: kinds, Command.allCases)
    func `a backup on this file system is whole`(kind: MountedFileSystem.Kind, command: Command) throws {
        let cluster = try Cluster(.newest)
        try cluster.sql("CREATE TABLE large AS SELECT i, md5(i::text) FROM generate_series(1, 50000) i; CHECKPOINT")
        let space = try cluster.makeTablespace("space")
        let disk = try MountedFileSystem(kind)
        let result = try UnderstudyProgram.run(
            command.arguments(cluster.connectionString(), "\(disk.path)/target")
                + ["-T", "\(space)=\(disk.path)/space", "--waldir", "\(disk.path)/wal"])
        #expect(result.status == 0, "\(result)")
        if command == .basebackup {
            let verified = try verify("\(disk.path)/target", of: cluster)
            #expect(verified.status == 0, "\(verified)")
        }
        let copy = try Cluster(copy: "\(disk.path)/target", of: cluster)
        defer { copy.destroy() }
        try copy.start()
        #expect(try cluster.differences(from: copy) == [])
    }

    // MARK: - Full

    /// A cluster with many small tables and a large one, and a tablespace with several large ones: a file that has begun
    /// has its room already.
    private static func largeCluster() throws -> (Cluster, space: String) {
        let cluster = try Cluster(.newest)
        let space = try cluster.makeTablespace("space")
        for (name, place) in [("large", "pg_default"), ("a", "space"), ("b", "space"), ("c", "space"), ("d", "space")] {
            try cluster.sql(
                "CREATE TABLE \(name) TABLESPACE \(place) AS SELECT i, repeat('x', 1000) FROM generate_series(1, 12000) i"
            )
        }
        try cluster.makeSmallTables(500)
        try cluster.sql("CHECKPOINT")
        return (cluster, space)
    }

    /// Waits until a run has begun a file there.
    private func waitForData(in path: String, of program: Program) throws {
        try eventually("something in \(path): \(program.errorOutput)") {
            try #require(program.isRunning, "\(program.wait())")
            let names = (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []
            return names.contains { name in
                let attributes = try? FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
                return attributes?[.type] as? FileAttributeType == .typeRegular && !name.contains("pgsql_tmp")
            }
        }
    }

    /// What of a backup lies on the disk that is full.
    enum Part: String, CaseIterable, Sendable {
        case target, tablespace, wal
    }

    @Test(arguments: Part.allCases, Command.allCases)
    func `a disk that somebody fills meanwhile ends the run, and is left as it was`(
        part: Part, command: Command
    ) throws {
        let (cluster, space) = try Self.largeCluster()
        let disk = try MountedFileSystem(.small(bytes: 120 << 20))
        let parent = try TestDirectory.make("parent")
        func place(_ of: Part) -> String { part == of ? "\(disk.path)/place" : "\(parent)/\(of)" }
        // Slow enough to be met in the middle; the stream of WAL has no limit.
        let program = try UnderstudyProgram.start(
            command.arguments(cluster.connectionString(), place(.target))
                + ["-T", "\(space)=\(place(.tablespace))", "--waldir", place(.wal)] + ["-r", "8M"])
        try waitForData(in: "\(disk.path)/place", of: program)
        try disk.fillUp()
        // The WAL needs a further segment only where there is more of it.
        if part == .wal {
            try cluster.sql("SELECT pg_switch_wal(); CREATE TABLE more AS SELECT 1; SELECT pg_switch_wal()")
        }
        let result = program.wait()
        expectRefused(result, "\"\(disk.path)/place", "No space left on device", "Free space on the file system")
        #expect(FileTree.names(disk.path) == ["somebody-elses"])
        #expect(FileTree.names(parent) == [])
        try cluster.expectReleased()
    }

    @Test(arguments: Command.allCases)
    func `a disk without inodes is told from a full one`(command: Command) throws {
        let (cluster, space) = try Self.largeCluster()
        let disk = try MountedFileSystem(.fewInodes(700))
        let result = try UnderstudyProgram.run(
            command.arguments(cluster.connectionString(), "\(disk.path)/target") + [
                "-T", "\(space)=\(disk.path)/space",
            ])
        expectRefused(result, "\"\(disk.path)/target", "No space left on device", "no inode")
        #expect(FileTree.names(disk.path) == [])
        try cluster.expectReleased()
    }

    @Test(arguments: ["gzip", "server-zstd"])
    func `a disk too small for the data is large enough for it compressed`(method: String) throws {
        let (cluster, _) = try Self.largeCluster()
        let disk = try MountedFileSystem(.small(bytes: 40 << 20))
        let result = try basebackup(
            cluster, to: "\(disk.path)/archives", ["-F", "t", "-Z", method, "-X", "none", "-c", "fast"])
        #expect(result.status == 0, "\(result)")
    }

    @Test(arguments: [(Command.clone, []), (.basebackup, []), (.basebackup, ["--no-estimate-size"])])
    func `a disk too small for the data fails the run and is left empty`(
        command: Command, arguments: [String]
    ) throws {
        let disk = try MountedFileSystem(.small(bytes: 8 << 20))
        let cluster = try Cluster(.newest)
        let result = try UnderstudyProgram.run(
            command.arguments(cluster.connectionString(), "\(disk.path)/target") + arguments)
        // Without the estimate nobody can know beforehand.
        expectRefused(result, arguments.isEmpty ? "\"\(disk.path)" : "No space left on device")
        #expect(FileTree.names(disk.path) == [])
        try cluster.expectReleased()
    }

    @Test(arguments: Command.allCases)
    func `a disk too small for the WAL fails the run and is left empty`(command: Command) throws {
        let disk = try MountedFileSystem(.small(bytes: 8 << 20))
        let cluster = try Cluster(.newest)
        let parent = try TestDirectory.make("parent")
        let result = try UnderstudyProgram.run(
            command.arguments(cluster.connectionString(), "\(parent)/target") + ["--waldir", "\(disk.path)/wal"])
        expectRefused(result, "\"\(disk.path)")
        #expect(FileTree.names(disk.path) == [])
        #expect(FileTree.names(parent) == [])
        try cluster.expectReleased()
    }

    // MARK: - Broken

    /// A device that has taken what it cannot hold tells of it when it is synced: pages that are in memory are lost.
    @Test(
        .enabled(if: MountedFileSystem.can(.thinDisk(megabytes: 200, holds: 8)), "no loop device"),
        arguments: [[], ["--sync-method", "fsync"]], [8, 16, 24, 30])
    func `a device that fails to write is never taken for a success`(options: [String], megabytes: Int) throws {
        let cluster = try Cluster(.newest)
        try cluster.makeSmallTables(500)
        try cluster.sql("CHECKPOINT")
        let disk = try MountedFileSystem(.thinDisk(megabytes: 200, holds: megabytes))
        let result = try UnderstudyProgram.run(
            Command.basebackup.arguments(cluster.connectionString(), "\(disk.path)/target") + options)
        expectRefused(result, "\"\(disk.path)/target")
        #expect(FileTree.names(disk.path) == [], "\(result)")
        try cluster.expectReleased()
    }

    @Test(
        .enabled(if: MountedFileSystem.can(.disk("ext4", megabytes: 64)), "no loop device"), arguments: Part.allCases,
        ["ext4", "xfs"])
    func `a disk that breaks ends the run, and what could not be removed is named`(part: Part, type: String) throws {
        guard MountedFileSystem.can(.disk(type, megabytes: 400)) else { return }
        let (cluster, space) = try Self.largeCluster()
        let disk = try MountedFileSystem(.disk(type, megabytes: 400))
        let parent = try TestDirectory.make("parent")
        func place(_ of: Part) -> String { part == of ? "\(disk.path)/place" : "\(parent)/\(of)" }
        let program = try UnderstudyProgram.start(
            Command.basebackup.arguments(cluster.connectionString(), place(.target))
                + ["-T", "\(space)=\(place(.tablespace))", "--waldir", place(.wal)]
                + ["-r", "8M", "-C", "-S", "standby1"])
        try waitForData(in: "\(disk.path)/place", of: program)
        try disk.breakDown()
        if part == .wal {
            try cluster.sql("SELECT pg_switch_wal(); CREATE TABLE more AS SELECT 1; SELECT pg_switch_wal()")
        }
        let result = program.wait()
        expectRefused(result, "\"\(disk.path)/place", "Input/output error", "kernel's log")
        #expect(result.errorOutput.contains("could not clean up: "), "\(result)")
        // What lies elsewhere is removed all the same, but for the mark that names the directory that could not be.
        #expect(FileTree.names(parent) == (part == .target ? [] : ["target"]), "\(result)")
        if part != .target { #expect(FileTree.names(place(.target)) == ["pgsql_tmp.understudy"], "\(result)") }
        // Said once.
        let words = result.errorOutput.components(separatedBy: "could not clean up: ").dropFirst()
        #expect(Set(words).count == words.count, "\(result)")
        try cluster.expectReleased()
    }

    @Test(arguments: Command.allCases)
    func `a read-only file system is refused`(command: Command) throws {
        let disk = try MountedFileSystem(.readOnly)
        let cluster = try Cluster(.newest)
        let result = try UnderstudyProgram.run(command.arguments(cluster.connectionString(), "\(disk.path)/target"))
        expectRefused(result, "\"\(disk.path)", "Read-only file system", "mounted read-only")
        try cluster.expectReleased()
    }
}
