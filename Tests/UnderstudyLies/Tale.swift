import UnderstudyTestSupport

/// What a server will say: sound as it is made, and false in whatever a lie replaces.
struct Tale: Sendable {
    static let system = "7711123260964962612"
    /// The segment in which the WAL begins.
    static let start: UInt64 = 0x300_0000
    /// How much of it there is.
    static let walBytes = 0x4000

    var release: Release
    /// Rows, archives' names, the WAL.
    var played: PlayedServer
    /// What a server says of itself at a login: ParameterStatus.
    var settings: [(name: String, value: String)]
    /// In the order of `played.archives`; those are made of them.
    var archives: [[Member]]
    var manifest: Manifest
    /// Done to each archive when it is made.
    var archiveEdits: [@Sendable (inout [UInt8]) -> Void] = []
    /// Done to the manifest's text when it is made.
    var manifestEdits: [@Sendable (inout String) -> Void] = []
    var createdSlot: [[String?]] = [["slot", "0/3000000", nil, nil]]
    var readSlot: [[String?]] = [["physical", "0/3000000", "1"]]
    var history: [[String?]] = [["00000002.history", "1\t0/3000100\tno reason\n"]]
    /// The row behind a stream that the end of its timeline ends.
    var next: [[String?]]?
    /// Of an ordinary connection.
    var watched: [[String?]] = [["async", "0/3000138", "physical", "0/3000000", "reserved", nil, nil]]
    /// Every timeline is over at once, and the next one begins; hears which one is asked for.
    var endlessSwitches: (@Sendable (Int) -> Void)?
    /// In place of the answer to a login.
    var login: (@Sendable (ScriptedServer.Login) -> ScriptedServer.Answer)?
    /// What becomes of answers on their way.
    var wire: [WireLie] = []

    /// - Parameter space: Where the server says that its tablespace is.
    init(_ release: Release, space: String) {
        self.release = release
        played = Self.played[release.form]!
        settings = [
            ("server_version", release.rawValue), ("server_encoding", "UTF8"), ("client_encoding", "UTF8"),
            ("integer_datetimes", "on"), ("in_hot_standby", "off"), ("default_transaction_read_only", "off"),
        ]
        played.segmentSize = [["1MB"]]
        played.tablespaces = [["16385", space, "1"], [nil, nil, "32"]]
        played.archiveNames = [("16385.tar", space), ("base.tar", "")]
        archives = Self.archives(release, space: space)
        manifest = Manifest(release, listing: archives)
        played.wal = [release.segmentSize == 1 << 20 ? Self.wal : Self.walOfLargeSegments]
    }

    private static let played = Dictionary(
        uniqueKeysWithValues: PlayedServer.Version.allCases.map { ($0, PlayedServer($0)) })

    private static let wal = stream(1 << 20), walOfLargeSegments = stream(16 << 20)

    private static func stream(_ segmentSize: UInt64) -> [UInt8] {
        let pages = ServerBytes.walPages(at: start, count: walBytes, segmentSize: segmentSize, fill: 0)
        var bytes = ServerBytes()
        for piece in stride(from: 0, to: walBytes, by: 0x1000) {
            bytes.wal(at: start + UInt64(piece), Array(pages[piece..<piece + 0x1000]))
        }
        return bytes.bytes
    }

    private static func archives(_ release: Release, space: String) -> [[Member]] {
        let inner = release.tablespaceDirectory, wal = release.walDirectory
        var base: [Member] = [
            .file("backup_label", Array("START WAL LOCATION: 0/3000028 (file 000000010000000000000030)\n".utf8))
        ]
        for name in ["base/", "base/1/", "global/", "\(wal)/", "\(wal)/archive_status/", "pg_tblspc/", "pg_stat_tmp/"] {
            base.append(.directory(name))
        }
        base += [
            .link("pg_tblspc/16385", to: space), .file("PG_VERSION", Array("\(release.major)\n".utf8)),
            .file("base/1/PG_VERSION", Array("\(release.major)\n".utf8)), .file("base/1/1", page),
            .file("base/1/2", []),
            .file("postgresql.conf", Array("port = 5432\n".utf8)), .file("pg_hba.conf", []),
            .file("global/pg_control", page),
        ]
        return [
            [.directory("\(inner)/"), .directory("\(inner)/5/"), .file("\(inner)/5/1", Array("space".utf8))], base,
        ]
    }

    private static let page = [UInt8](repeating: 0x5A, count: 8192)

    // MARK: - The server

    /// Makes the bytes of all that is made of parts.
    func telling() -> PlayedServer {
        var server = played
        server.archives = archives.map { $0.flatMap(\.bytes) + (release.form.hasOneCopy ? TarBuilder.zeros(1024) : []) }
        for edit in archiveEdits {
            for index in server.archives.indices { edit(&server.archives[index]) }
        }
        server.manifest = manifest.text
        for edit in manifestEdits { edit(&server.manifest) }
        return server
    }

    /// The answer to a login, up to ReadyForQuery.
    func welcome(_ who: ScriptedServer.Login) -> ScriptedServer.Answer {
        login?(who) ?? .init(welcomeBytes)
    }

    var welcomeBytes: [UInt8] {
        var bytes = ServerBytes()
        bytes.message("R", ServerBytes.integer(UInt32(0)))
        for (name, value) in settings { bytes.message("S", ServerBytes.string(name) + ServerBytes.string(value)) }
        bytes.message("K", ServerBytes.integer(UInt32(1234)) + ServerBytes.integer(UInt32(5678)))
        bytes.ready()
        return bytes.bytes
    }

    /// The answer to a command.
    func answer(_ command: String, from server: PlayedServer) throws -> ScriptedServer.Answer {
        let fitting = server.answers.filter { command.hasPrefix($0.key) }
        if let answer = fitting.max(by: { $0.key.utf8.count < $1.key.utf8.count }) { return answer.value }
        func rows(_ rows: [[String?]], _ columns: Int) -> ScriptedServer.Answer {
            var bytes = ServerBytes()
            bytes.rows(rows.first?.count ?? columns, rows)
            bytes.ready()
            return .init(bytes.bytes)
        }
        if let endlessSwitches, let timeline = Int(command.split(separator: " ").last ?? "") {
            if command.hasPrefix("START_REPLICATION") {
                endlessSwitches(timeline)
                var ending = self
                ending.next = [["\(timeline + 1)", "0/3000100"]]
                return ending.switching(server)
            }
            if command.hasPrefix("TIMELINE_HISTORY") {
                let content = (1..<max(2, min(timeline, 3000))).map { "\($0)\t0/3000100\tx\n" }.joined()
                let number = String(timeline, radix: 16, uppercase: true)
                return rows(
                    [["\(String(repeating: "0", count: max(0, 8 - number.count)))\(number).history", content]], 2)
            }
        }
        switch command.prefix(while: { $0 != " " }) {
        case "CREATE_REPLICATION_SLOT": return rows(createdSlot, 4)
        case "READ_REPLICATION_SLOT": return rows(readSlot, 3)
        case "TIMELINE_HISTORY": return rows(history, 2)
        case "SELECT":
            if command.contains("pg_is_in_recovery()"), !command.contains("CASE") { return rows([["f"]], 1) }
            return rows(watched, 7)
        case "SHOW" where command.hasPrefix("SHOW in_hot_standby") || command.hasPrefix("SHOW transaction_read_only"):
            return rows([["off"]], 1)
        case "START_REPLICATION" where next != nil && !command.hasSuffix(" TIMELINE 2"): return switching(server)
        default: return try server.answer(to: command)
        }
    }

    private func switching(_ server: PlayedServer) -> ScriptedServer.Answer {
        var bytes = ServerBytes()
        bytes.copyBoth()
        for messages in server.wal { bytes.raw(messages) }
        bytes.copyDone()
        let hold = bytes.bytes.count
        bytes.rows(next?.first?.count ?? 2, next ?? [])
        bytes.complete("START_STREAMING")
        bytes.ready()
        return .init(bytes.bytes, holdsFrom: hold)
    }
}
