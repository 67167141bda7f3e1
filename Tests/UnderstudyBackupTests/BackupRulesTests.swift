import Testing
import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

@Suite("Options of a backup")
struct BackupOptionRulesTests {
    private func check(_ change: (inout BaseBackup.Options) -> Void) throws(UnderstudyError) {
        var options = BaseBackup.Options()
        change(&options)
        try BackupOptionRules.check(options)
        try BackupOptionRules.checkPlaces(options, dataDirectory: "/srv/data")
    }

    @Test("that make sense pass")
    func sound() throws {
        try check { _ in }
        try check { $0.maxRate = .kilobytesPerSecond(32) }
        try check { $0.maxRate = .megabytesPerSecond(1024) }
        try check { $0.walDirectory = "/srv/wal" }
        try check {
            $0.wal = .none
            $0.slot = .none
        }
        try check { $0.wal = .fetch }
        try check { $0.slot = .createIfMissing("s") }
        try check { $0.tablespaceMappings = [.init(from: "/a", to: "/b"), .init(from: "/c", to: "/d")] }
    }

    @Test("a rate out of range is refused", arguments: [31, 0, -1, 1_048_577, Int.max])
    func rate(_ rate: Int) {
        let error = #expect(throws: UnderstudyError.self) { try check { $0.maxRate = .kilobytesPerSecond(rate) } }
        #expect(error?.code == .options)
        #expect(error?.message == "transfer rate \(rate) is out of range")
        #expect(error?.hint == "Choose from 32 to 1048576 kilobytes per second.")
    }

    @Test("what one connection alone can do is refused to several, unless they may become one")
    func connections() throws {
        let single: [(inout BaseBackup.Options) -> Void] = [
            { $0.wal = .fetch }, { $0.incrementalManifest = "m" }, { $0.compression = .server(method: "gzip") },
        ]
        for change in single {
            let error = #expect(throws: UnderstudyError.self) {
                try check {
                    $0.connections = .parallel(2)
                    change(&$0)
                }
            }
            #expect(error?.code == .options)
            try check {
                $0.connections = .automatic
                change(&$0)
            }
        }
        let old = ServerVersion(number: 90500)
        #expect(throws: UnderstudyError.self) {
            try BackupOptionRules.check(.init(connections: .parallel(2)), nil, against: old)
        }
        try BackupOptionRules.check(.init(connections: .automatic), nil, against: old)
        for count in [0, 65] {
            #expect(throws: UnderstudyError.self) { try check { $0.connections = .parallel(count) } }
        }
    }

    @Test("holes are of the plain format")
    func holes() throws {
        try check { $0.leavesHoles = true }
        let error = #expect(throws: UnderstudyError.self) {
            try BackupOptionRules.checkArchives(.init(leavesHoles: true))
        }
        #expect(error?.code == .options)
        #expect(error?.message == "holes can be left only in plain format")
    }

    @Test(
        "a directory is made equal over ordinary connections alone",
        arguments: [BaseBackup.ExistingContents.updated, .resumed])
    func existing(_ existing: BaseBackup.ExistingContents) throws {
        try check {
            $0.existing = existing
            $0.connections = .parallel(1)
        }
        let error = #expect(throws: UnderstudyError.self) { try check { $0.existing = existing } }
        #expect(error?.code == .options && error?.hint?.contains("may be 1") == true)
        #expect(throws: UnderstudyError.self) {
            try BackupOptionRules.checkArchives(.init(connections: .parallel(2), existing: existing))
        }
    }

    @Test("several connections bring what is written here, and not what the server writes itself")
    func several() throws {
        try check { $0.connections = .parallel(64) }
        try BackupOptionRules.checkArchives(.init(connections: .parallel(2)))
        try BackupOptionRules.checkServerTarget(.init(wal: .none, connections: .automatic))
        let error = #expect(throws: UnderstudyError.self) {
            try BackupOptionRules.checkServerTarget(.init(wal: .none, connections: .parallel(2)))
        }
        #expect(error?.code == .options)
        #expect(error?.message == "a backup comes over several connections only to where this program writes it")
    }

    @Test("a slot needs a stream", arguments: [BaseBackup.WALMethod.none, .fetch])
    func slot(_ method: BaseBackup.WALMethod) {
        for slot in [.existing("s"), .create("s"), .createIfMissing("s")] as [ReplicationSlot] {
            let error = #expect(throws: UnderstudyError.self) {
                try check {
                    $0.wal = method
                    $0.slot = slot
                }
            }
            #expect(error?.code == .options)
        }
    }

    @Test(
        "directories that are in each other's way are refused",
        arguments: [
            (["/a": "/srv/data"], nil), (["/a": "/srv/data/x"], nil), (["/a": "/srv"], nil), (["/a": "b"], nil),
            (["a": "/b"], nil), (["/a": "/b", "/c": "/b/d"], nil), (["/a": "/srv/wal/x"], "/srv/wal"),
            ([:], "/srv/data/wal"), ([:], "wal"), ([:], "/srv/data"), ([:], "/srv/./data/../data/wal"),
        ] as [([String: String], String?)])
    func directories(_ mappings: [String: String], _ wal: String?) {
        let error = #expect(throws: UnderstudyError.self) {
            try check { options in
                options.tablespaceMappings = mappings.sorted(by: <).map { .init(from: $0.key, to: $0.value) }
                options.walDirectory = wal
            }
        }
        #expect(error?.code == .options)
        #expect(error?.hint != nil)
    }

    @Test("become the command that the server gets")
    func command() {
        var options = BaseBackup.Options(label: "l", wal: .fetch, checkpoint: .fast)
        options.maxRate = .kilobytesPerSecond(100)
        options.verifyServerChecksums = false
        options.manifestChecksum = .sha512
        options.manifestForceEncode = true
        #expect(
            options.command.text(for: ServerVersion(number: 150_000))
                == "BASE_BACKUP (LABEL 'l', PROGRESS, CHECKPOINT 'fast', WAL, WAIT 0, MAX_RATE 100, VERIFY_CHECKSUMS 0, MANIFEST 'force-encode', MANIFEST_CHECKSUMS 'SHA512', TARGET 'client')"
        )
        var bare = BaseBackup.Options(label: "l", wal: .none)
        bare.manifest = false
        bare.estimateSize = false
        #expect(
            bare.command.text(for: ServerVersion(number: 150_000)) == "BASE_BACKUP (LABEL 'l', TARGET 'client')")
        // Streamed WAL is not in the backup, and its archiving is not waited for.
        let streamed = BaseBackup.Options(label: "l").command.text(for: ServerVersion(number: 90600))
        #expect(streamed == "BASE_BACKUP LABEL 'l' PROGRESS NOWAIT")
    }
}

@Suite("Where tablespaces go")
struct TablespaceLayoutTests {
    private func links(
        _ announced: [UInt32: String], _ mappings: [(String, String)] = []
    ) throws(UnderstudyError) -> [UInt32: String] {
        var options = BaseBackup.Options()
        options.tablespaceMappings = mappings.map { .init(from: $0.0, to: $0.1) }
        let archives =
            announced.sorted { $0.key < $1.key }.map { AnnouncedArchive(oid: $0.key, location: $0.value, size: 1) }
            + [AnnouncedArchive(oid: nil, location: nil, size: 1)]
        return try TablespaceLayout(archives, options: options, dataDirectory: "/srv/data").links
    }

    @Test("to where they are on the primary, or where they are mapped")
    func links() throws {
        #expect(try links([:]) == [:])
        #expect(try links([1: "/ts/1"]) == [1: "/ts/1"])
        #expect(try links([1: "/ts/1", 2: "/ts/2"], [("/ts/2/", "/new")]) == [1: "/ts/1", 2: "/new"])
    }

    @Test("in the data directory, without a link, if they are there on the primary")
    func inPlace() throws {
        #expect(try links([16385: "pg_tblspc/16385", 2: "/ts"]) == [2: "/ts"])
    }

    @Test(
        "nowhere else in the data directory",
        arguments: ["pg_tblspc/1", "../x", "base", "pg_tblspc/../base", "pg_tblspc/16385/x"])
    func strange(_ location: String) {
        let error = #expect(throws: UnderstudyError.self) { try links([16385: location]) }
        #expect(error?.code == .protocolViolation)
    }

    @Test("not into the data directory, each other, or nowhere")
    func refused() {
        for (announced, mappings) in [
            ([1: "/srv/data/ts"], []), ([1: "/ts", 2: "/ts/2"], []), ([1: "/ts"], [("/other", "/new")]),
            ([:], [("/ts", "/new")]), ([1: "/a", 2: "/b"], [("/a", "/b")]),
        ] as [([UInt32: String], [(String, String)])] {
            let error = #expect(throws: UnderstudyError.self) { try links(announced, mappings) }
            #expect(error?.code == .target)
        }
    }

    @Test("without a mapping not to the system's places, unless the server is to be followed anywhere")
    func guarded() throws {
        func check(_ location: String, _ change: (inout BaseBackup.Options) -> Void = { _ in }) throws(UnderstudyError)
        {
            var options = BaseBackup.Options()
            change(&options)
            let announced = [
                AnnouncedArchive(oid: 1, location: location, size: nil),
                AnnouncedArchive(oid: nil, location: nil, size: nil),
            ]
            try TablespaceLayout(announced, options: options, dataDirectory: "/srv/data")
                .checkUnmapped(options, .silent)
        }
        try check("/srv/ts")
        let error = #expect(throws: UnderstudyError.self) { try check("/etc/it's=1") }
        #expect(error?.code == .target)
        #expect(
            error?.remedy
                == "Put the tablespace elsewhere: \(.mapTablespace(from: "/etc/it's=1")). Or, if it is to be there: \(.mapTablespace(from: "/etc/it's=1", to: "/etc/it's=1"))."
        )
        try check("/etc/x") { $0.unmappedTablespaces = .anywhere }
        try check("/etc/x") { $0.tablespaceMappings = [.init(from: "/etc/x", to: "/etc/x")] }
        let odd = #expect(throws: UnderstudyError.self) { try check("/etc/x\n/y") }
        #expect(odd?.remedy?.steps.first == .mapTablespace(from: "/etc/x\n/y"))
    }

    @Test("to directories that are made, one for each")
    func roots() throws {
        let base = try TestDirectory.make("layout")
        let targets = try TargetDirectories(path: "\(base)/data", mode: 0o750, owner: nil, syncs: true)
        let announced = [
            AnnouncedArchive(oid: 1, location: "/primary/ts", size: nil),
            AnnouncedArchive(oid: 2, location: "pg_tblspc/2", size: nil),
            AnnouncedArchive(oid: nil, location: nil, size: nil),
        ]
        var options = BaseBackup.Options()
        options.tablespaceMappings = [.init(from: "/primary/ts", to: "\(base)/ts")]
        let layout = try TablespaceLayout(announced, options: options, dataDirectory: "\(base)/data")
        let plans = try layout.makeRoots(targets, announced)
        #expect(
            plans.map(\.root.path) == ["\(base)/ts", "\(base)/data/pg_tblspc/2", "\(base)/data"])
        #expect(plans.map(\.root.manifestPrefix?.string) == ["pg_tblspc/1", "pg_tblspc/2", nil])
        #expect(targets.premade == ["pg_tblspc", "pg_tblspc/2"])
        #expect(targets.restore().isEmpty)
        #expect(FileTree.names(base).isEmpty)
    }

    @Test("not to where something is: the line to write is shown")
    func taken() throws {
        let base = try TestDirectory.make("layout")
        try TestDirectory.make(at: "\(base)/ts")
        try TestDirectory.write("precious", to: "\(base)/ts/file")
        let targets = try TargetDirectories(path: "\(base)/data", mode: 0o700, owner: nil, syncs: true)
        let announced = [
            AnnouncedArchive(oid: 1, location: "\(base)/ts", size: nil),
            AnnouncedArchive(oid: nil, location: nil, size: nil),
        ]
        let layout = try TablespaceLayout(announced, options: .init(), dataDirectory: "\(base)/data")
        let error = #expect(throws: UnderstudyError.self) { _ = try layout.makeRoots(targets, announced) }
        #expect(error?.code == .target)
        #expect(error?.message == "tablespace directory \"\(base)/ts\" exists but is not empty")
        #expect(error?.remedy == "Put the tablespace elsewhere: \(.mapTablespace(from: "\(base)/ts")).")
        #expect(targets.restore().isEmpty)
        #expect(FileTree.names(base) == ["ts"])
        #expect(FileTree.names("\(base)/ts") == ["file"])
    }
}

@Suite("Room on the disk")
struct SpaceCheckTests {
    private func check(_ sizes: [UInt64?]) throws {
        let targets = try TargetDirectories(
            path: TestDirectory.freshPath("space"), mode: 0o700, owner: nil, syncs: true)
        let plans = sizes.map { size in
            PlacedArchive(
                announced: AnnouncedArchive(oid: nil, location: nil, size: size),
                root: targets.root(targets.data, prefix: nil))
        }
        try SpaceCheck.check(plans)
    }

    @Test("is not asked for where no size is known, or none is needed")
    func unknown() throws {
        try check([])
        try check([nil])
        try check([0, nil])
    }

    @Test("is that of the file system where a directory will be")
    func missing() throws {
        let path = "\(TestDirectory.freshPath("missing"))/deep"
        try SpaceCheck.check([(1, path)])
        let error = #expect(throws: UnderstudyError.self) { try SpaceCheck.check([(.max, path)]) }
        #expect(error?.message == "not enough room for the backup in \"\(path)\"")
        // What is freed on that file system counts.
        try SpaceCheck.check([(1 << 62, path)], freed: [(1 << 62, TestDirectory.root)])
        #expect(throws: UnderstudyError.self) { try SpaceCheck.check([(1 << 62, path)], freed: [(1 << 62, "/proc")]) }
    }

    @Test("must be there for all archives of a file system together")
    func sum() throws {
        let free = try ConfinedDirectory(path: TestDirectory.root).freeSpace().bytes
        try check([free / 4, free / 4])
        for sizes in [[.max], [.max, .max], [free / 4 * 3, free / 4 * 3], [1 << 62]] as [[UInt64]] {
            let error = #expect(throws: UnderstudyError.self) { try check(sizes) }
            #expect(error?.code == .noSpace)
            #expect(error?.message.hasPrefix("not enough room for the backup in \"") == true)
        }
    }
}
