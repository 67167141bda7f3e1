import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// Servers whose answers, messages, manifests and WAL are not what they should be.
@Suite struct HostileProtocolServerTests {
    // MARK: - Answers

    private static let noPositions: [String?] = ["x", "", nil, "G/1", "1/100000000", "0/3000028/1", "-1/0", "0x3/28"]
    private static let noTimelines: [String?] = ["0", "-1", "4294967296", "x", "", nil]

    private static let answers: [Attack] =
        noPositions.flatMap { text in
            [
                Attack("position \(text ?? "NULL") in IDENTIFY_SYSTEM", word: "WAL position") {
                    $0.identity[0][2] = text
                },
                Attack("start position \(text ?? "NULL")", word: "WAL position") { $0.start[0][0] = text },
                Attack("end position \(text ?? "NULL")", word: "WAL position") { $0.end[0][0] = text },
            ]
        }
        + noTimelines.flatMap { text in
            [
                Attack("timeline \(text ?? "NULL") in IDENTIFY_SYSTEM", word: "timeline") { $0.identity[0][1] = text },
                Attack("start timeline \(text ?? "NULL")", word: "timeline") { $0.start[0][1] = text },
                Attack("end timeline \(text ?? "NULL")", word: "timeline") { $0.end[0][1] = text },
            ]
        }
        + [
            Attack("an end before the start", word: "0/3000028") { $0.end[0][0] = "0/2000000" },
            Attack("no system identifier", word: "system identifier") { $0.identity[0][0] = nil },
            Attack("a system identifier that is no number", word: "system identifier") { $0.identity[0][0] = "abc" },
            Attack("too few columns in IDENTIFY_SYSTEM") { $0.identity = [["1", "1"]] },
            Attack("no row in IDENTIFY_SYSTEM") { $0.identity = [] },
            Attack("two rows in IDENTIFY_SYSTEM") { $0.identity += $0.identity },
            Attack("no start row") { $0.start = [] },
            Attack("two start rows") { $0.start += $0.start },
            Attack("no end row") { $0.end = [] },
            Attack("a segment size of letters", word: "segment size") { $0.segmentSize = [["big"]] },
            Attack("a segment size that is no power of two", word: "segment size") { $0.segmentSize = [["17MB"]] },
            Attack("a segment size of nothing", word: "segment size") { $0.segmentSize = [["0"]] },
            Attack("no segment size") { $0.segmentSize = [[nil]] },
            Attack("a mode for all", word: "data_directory_mode") { $0.directoryMode = [["0777"]] },
            Attack("a mode that is no number", word: "data_directory_mode") { $0.directoryMode = [["9999"]] },
            Attack("no data directory in the list") { $0.tablespaces.removeLast() },
            Attack("two data directories") { $0.tablespaces += [[nil, nil, "1"]] },
            Attack("no tablespaces at all") { $0.tablespaces = [] },
            Attack("a tablespace twice", word: "twice") { $0.tablespaces.insert($0.tablespaces[0], at: 0) },
            Attack("tablespace number 0") { $0.tablespaces[0][0] = "0" },
            Attack("a tablespace number that is none") { $0.tablespaces[0][0] = "x" },
            Attack("a tablespace without a place") { $0.tablespaces[0][1] = nil },
            Attack("a tablespace at an empty place") { $0.tablespaces[0][1] = "" },
            Attack("a tablespace at a relative place", .target, .protocolViolation) {
                $0.tablespaces[0][1] = "../outside"
            },
            Attack("two tablespaces at one place", .target, .protocolViolation) {
                $0.tablespaces.insert(["16386", "/srv/space", "1"], at: 0)
            },
            Attack("a size that is no number", word: "size") { $0.tablespaces[0][2] = "many" },
            Attack("a size beyond the disk", .noSpace) { $0.tablespaces[0][2] = "9007199254740991" },
        ]

    // MARK: - The copy

    private static let copies: [Attack] = [
        Attack("an archive that was not announced", word: "16999.tar", versions: [.v16]) {
            $0.archiveNames[0].0 = "16999.tar"
        },
        Attack("an archive for another place", word: "../outside", versions: [.v16]) {
            $0.archiveNames[0].1 = "../outside"
        },
        Attack("an archive that is no tar", word: "base.exe", versions: [.v16]) { $0.archiveNames[1].0 = "base.exe" },
        Attack("an archive twice", word: "twice", versions: [.v16]) {
            $0.archives.append($0.archives[1])
            $0.archiveNames.append($0.archiveNames[1])
        },
        Attack("an archive too few") { $0.archives.removeFirst() },
        Attack("an archive too many", versions: [.v12, .v14]) { $0.archives.append($0.archives[0]) },
        Attack("data before the first archive", versions: [.v16]) { $0.before = [Array("dxyz".utf8)] },
        Attack("a message of unknown kind", word: "unknown kind", versions: [.v16]) {
            $0.between = [Array("zxyz".utf8)]
        },
        Attack("an archive message without its end", versions: [.v16]) { $0.between = [Array("nbase.tar".utf8)] },
        Attack("a progress message that is too short", word: "progress", versions: [.v16]) {
            $0.between = [Array("p123".utf8)]
        },
        Attack("a manifest twice", word: "two backup manifests", versions: [.v16]) { $0.behind = [Array("m".utf8)] },
        Attack("a manifest with a body", versions: [.v16]) { $0.behind = [Array("mx".utf8)] },
        Attack("an archive behind the manifest", versions: [.v16]) { $0.behind = [Array("nbase.tar\0\0".utf8)] },
        Attack("a manifest before the archives", versions: [.v16]) { $0.before = [Array("m".utf8)] },
        Attack("rows in place of the copy") {
            var bytes = ServerBytes()
            for _ in 0..<3 { bytes.rows(2, [["0/3000028", "1"]]) }
            bytes.ready()
            $0.answers["BASE_BACKUP"] = .init(bytes.bytes)
        },
        Attack("nothing at all") {
            var bytes = ServerBytes()
            bytes.complete("BASE_BACKUP")
            bytes.ready()
            $0.answers["BASE_BACKUP"] = .init(bytes.bytes)
        },
        Attack("a copy in both directions") {
            var bytes = ServerBytes()
            bytes.copyBoth()
            bytes.copyDone()
            bytes.ready()
            $0.answers["BASE_BACKUP"] = .init(bytes.bytes)
        },
        Attack("a copy in place of IDENTIFY_SYSTEM") {
            var bytes = ServerBytes()
            bytes.copyOut()
            bytes.copyDone()
            bytes.complete("COPY")
            bytes.ready()
            $0.answers["IDENTIFY_SYSTEM"] = .init(bytes.bytes)
        },
    ]

    // MARK: - WAL

    private static func wal(
        _ name: String, _ codes: UnderstudyError.Code..., word: String = "",
        _ make: @escaping @Sendable (inout ServerBytes) -> Void
    ) -> Attack {
        var attack = Attack(name, word: word) { played in
            var bytes = ServerBytes()
            make(&bytes)
            played.wal = [bytes.bytes]
        }
        if !codes.isEmpty { attack.codes = codes }
        return attack
    }

    private static let zeros = [UInt8](repeating: 0, count: 0x100)

    private static let streams: [Attack] = [
        wal("WAL that skips", word: "0/3000200") {
            $0.wal(at: 0x300_0000, zeros)
            $0.wal(at: 0x300_0200, zeros)
        },
        wal("WAL that repeats", word: "0/3000000") {
            $0.wal(at: 0x300_0000, zeros)
            $0.wal(at: 0x300_0000, zeros)
        },
        wal("WAL that goes backwards", word: "0/2FFFF00") {
            $0.wal(at: 0x300_0000, zeros)
            $0.wal(at: 0x2FF_FF00, zeros)
        },
        wal("WAL from elsewhere", word: "0/4000000") { $0.wal(at: 0x400_0000, zeros) },
        wal("WAL from the last position", word: "FFFFFFFF/FFFFFF00") { $0.wal(at: UInt64.max - 0xFF, zeros) },
        wal("a message of unknown kind", word: "unknown kind") { $0.data(Array("zabc".utf8)) },
        wal("a WAL message without its header", word: "too short") { $0.data(Array("wabc".utf8)) },
        wal("a keepalive that is too short", word: "keepalive") { $0.data(Array("kabc".utf8)) },
        Attack("a stream that ends before the backup", .wal) {
            var bytes = ServerBytes()
            bytes.copyBoth()
            bytes.wal(at: 0x300_0000, Self.zeros)
            bytes.copyDone()
            let hold = bytes.bytes.count
            bytes.complete("COPY 0")
            bytes.complete("START_STREAMING")
            bytes.ready()
            $0.answers["START_REPLICATION"] = .init(bytes.bytes, holdsFrom: hold)
        },
        Attack("a next timeline that is the same") {
            $0.answers["START_REPLICATION"] = Self.switching(to: ["1", "0/3000100"])
        },
        Attack("a next timeline from ahead") {
            $0.answers["START_REPLICATION"] = Self.switching(to: ["2", "0/9000000"])
        },
        Attack("a next timeline that is none") { $0.answers["START_REPLICATION"] = Self.switching(to: ["x", "y"]) },
        Attack("a next timeline without a history", .connection, .protocolViolation, .wal) {
            $0.answers["START_REPLICATION"] = Self.switching(to: ["2", "0/3000100"])
            var bytes = ServerBytes()
            bytes.rows(2, [["../x", "evil"]])
            bytes.ready()
            $0.answers["TIMELINE_HISTORY"] = .init(bytes.bytes)
        },
        Attack("no copy in answer to START_REPLICATION", .wal) {
            var bytes = ServerBytes()
            bytes.complete("START_STREAMING")
            bytes.ready()
            $0.answers["START_REPLICATION"] = .init(bytes.bytes)
        },
    ]

    private static func switching(to row: [String?]) -> ScriptedServer.Answer {
        var bytes = ServerBytes()
        bytes.copyBoth()
        bytes.wal(at: 0x300_0000, zeros)
        bytes.copyDone()
        let hold = bytes.bytes.count
        bytes.rows(2, [row])
        bytes.complete("START_STREAMING")
        bytes.ready()
        return .init(bytes.bytes, holdsFrom: hold)
    }

    // MARK: - The wire

    private static let wire: [Attack] = ["startup", "IDENTIFY_SYSTEM", "BASE_BACKUP", "START_REPLICATION"].flatMap {
        command in
        [
            Attack("garbage in answer to \(command)", .connection, .protocolViolation, .authentication) {
                $0.answers[command] = .init([UInt8](repeating: 0xAA, count: 4096), endsConnection: true)
            },
            Attack("a message of 4 GB in answer to \(command)", .connection, .protocolViolation, .authentication) {
                var bytes = ServerBytes()
                bytes.message("T", [0], length: 0xFFFF_FFFF)
                $0.answers[command] = .init(bytes.bytes, endsConnection: true)
            },
            Attack("a message of length 3 in answer to \(command)", .connection, .protocolViolation, .authentication) {
                var bytes = ServerBytes()
                bytes.message("T", [0], length: 3)
                $0.answers[command] = .init(bytes.bytes, endsConnection: true)
            },
            Attack("the end in answer to \(command)", .connection) {
                $0.answers[command] = .init([], endsConnection: true)
            },
        ]
    }

    @Test(arguments: AttackOnVersion.all(answers + copies + Attack.manifests + streams + wire))
    func `what no server should send is refused, and leaves nothing`(what: AttackOnVersion) async throws {
        try await expectRefused(what)
    }

    // MARK: - Harmless

    private static func position(_ value: UInt64) -> [UInt8] { Array("p".utf8) + ServerBytes.integer(value) }

    /// What is odd, but no reason to fail: nothing of it is in the backup.
    private static let harmless: [Attack] = [
        // libpq drops such messages.
        Attack("a message of length 0", versions: [.v16]) { $0.between = [[]] },
        Attack("a message of length 0 in the WAL") {
            var bytes = ServerBytes()
            bytes.data([])
            $0.wal.insert(bytes.bytes, at: 0)
        },
        Attack("progress that runs backwards", versions: [.v16]) {
            $0.before = [Self.position(9000), Self.position(5000), Self.position(0)]
            $0.between = [Self.position(1), Self.position(.max)]
        },
        Attack("more columns than are known") {
            $0.identity[0].append("new")
            $0.start[0].append("new")
            $0.end[0].append("new")
        },
        Attack("a size below zero") { $0.tablespaces[0][2] = "-1" },
        Attack("WAL beyond the end, across segments") {
            var bytes = ServerBytes()
            for piece in 0..<40 {
                bytes.wal(at: 0x300_0000 + UInt64(piece) << 19, [UInt8](repeating: 1, count: 1 << 19))
            }
            $0.wal = [bytes.bytes]
        },
        Attack("WAL in empty messages") {
            var bytes = ServerBytes()
            bytes.wal(at: 0x300_0000, [])
            bytes.wal(at: 0x300_0000, [UInt8](repeating: 0, count: 0x2000))
            bytes.wal(at: 0x300_2000, [])
            $0.wal = [bytes.bytes]
        },
    ]

    @Test(arguments: AttackOnVersion.all(harmless))
    func `what is odd but harmless is no error`(what: AttackOnVersion) async throws {
        var played = PlayedServer(what.version)
        what.attack.make(&played)
        let server = try played.serve()
        let around = try Surroundings()
        _ = try await around.backup(server).run(into: .directory(around.target)) { progress in
            if let fraction = progress.fraction { #expect((0...1).contains(fraction)) }
        }
        #expect(try FileTree.text("\(around.target)/PG_VERSION") == "16\n")
    }

    // MARK: - Bounds

    /// 200 MB of manifest for files that are not there: refused at its end, in bounded memory.
    @Test(
        .disabled(
            if: ProcessInfo.processInfo.environment["ASAN_OPTIONS"] != nil,
            "AddressSanitizer keeps what is freed for a while"))
    func `a manifest of 80 MB does not fill the memory`() async throws {
        var played = PlayedServer(.v16)
        played.manifestPieces = {
            let head = "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n"
            let line = "{ \"Path\": \"base/1/ghost\", \"Size\": 1, \"Last-Modified\": \"2026-01-01 00:00:00 GMT\" },\n"
            let lines = Array(String(repeating: line, count: 700).utf8)
            let count = 80_000_000 / lines.count
            return AnySequence(([Array(head.utf8)] as [[UInt8]]) + repeatElement(lines, count: count))
        }
        let server = try played.serve()
        let around = try Surroundings()
        let program = try UnderstudyProgram.start([
            "basebackup", "-h", "127.0.0.1", "-p", "\(server.port)", "-U", "r", "-D", around.target, "-T",
            "/srv/space=\(around.space)",
        ])
        var peak = 0
        while program.isRunning {
            // The peak does not fall: who asks all the time only takes the processor from the program.
            usleep(20_000)
            let status = (try? FileTree.text("/proc/\(program.processID)/status")) ?? ""
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
            peak = max(peak, line.flatMap { Int($0.filter(\.isNumber)) } ?? 0)
        }
        let result = program.wait()
        #expect(result.status == 1, "\(result)")
        around.expectUntouched("\(result)")
        // The server's bytes would be in it otherwise; the debug build's own memory is some 60 MB.
        #expect((1..<110_000).contains(peak), "\(peak) kB")
    }

    /// The slot that a run makes goes with the run, whatever ends it.
    @Test func `a permanent slot is dropped when the server turns hostile`() async throws {
        var played = PlayedServer(.v16)
        played.archives[1] = TarBuilder.file("../x", [1])
        let server = try played.serve()
        let around = try Surroundings()
        var backup = around.backup(server)
        backup.options.slot = .create("mine")
        _ = await #expect(throws: UnderstudyError.self) { try await backup.run(into: .directory(around.target)) }
        #expect(server.commands.contains { $0.hasPrefix("CREATE_REPLICATION_SLOT \"mine\"") })
        #expect(server.commands.contains { $0.hasPrefix("DROP_REPLICATION_SLOT \"mine\"") }, "\(server.commands)")
        around.expectUntouched("")
    }
}
