/// A small server that is played: sound as it is made, and false in whatever part a test replaces.
package struct PlayedServer: Sendable {
    package var version: Version
    package var identity: [[String?]] = [["7711123260964962612", "1", "0/3000138", nil]]
    package var segmentSize: [[String?]] = [["16MB"]]
    package var directoryMode: [[String?]] = [["0700"]]
    package var synchronousStandbyNames: [[String?]] = [[""]]
    package var start: [[String?]] = [["0/3000028", "1"]]
    package var end: [[String?]] = [["0/3000138", "1"]]
    /// OID, location, size in kB.
    package var tablespaces: [[String?]] = [["16385", "/srv/space", "1"], [nil, nil, "32"]]
    /// The archives in the order of `tablespaces`.
    package var archives: [[UInt8]]
    /// The names of the archives, and the places that are sent with them (from 15).
    package var archiveNames = [("16385.tar", "/srv/space"), ("base.tar", "")]
    /// Sent in the copy before the first archive, between archives and before the manifest, and behind it (from 15).
    package var before: [[UInt8]] = []
    package var between: [[UInt8]] = []
    package var behind: [[UInt8]] = []
    package var manifest: String
    /// Sent in place of the manifest's text, piece after piece.
    package var manifestPieces: (@Sendable () -> AnySequence<[UInt8]>)?
    /// What is sent instead of the answer to a command that begins so.
    package var answers: [String: ScriptedServer.Answer] = [:]
    /// XLogData and keepalives.
    package var wal: [[UInt8]]

    package enum Version: String, Sendable, CaseIterable, CustomStringConvertible {
        /// One copy for each archive, no manifest, no trailer.
        case v12 = "12.22"
        /// One copy for each archive, and one for the manifest.
        case v14 = "14.13"
        /// One copy for all.
        case v16 = "16.4"

        package var description: String { rawValue }
        package var hasOneCopy: Bool { self == .v16 }
        package var hasManifest: Bool { self != .v12 }
        /// What the archive of a tablespace consists of.
        package var spaceDirectory: String {
            switch self {
            case .v12: "PG_12_201909212"
            case .v14: "PG_14_202107181"
            case .v16: "PG_16_202307071"
            }
        }
    }

    private static let label = Array("START WAL LOCATION: 0/3000028 (file 000000010000000000000003)\n".utf8)
    package static let page = [UInt8](repeating: 0x5A, count: 8192)
    private static let contents: [String: [UInt8]] = [
        "backup_label": label, "PG_VERSION": Array("16\n".utf8), "base/1/1": page, "global/pg_control": page,
    ]

    package init(_ version: Version) {
        self.version = version
        let trailer = version.hasOneCopy ? TarBuilder.zeros(1024) : []
        let space =
            TarBuilder.header("\(version.spaceDirectory)/", .type("5"), .mode("0000700 "))
            + TarBuilder.file("\(version.spaceDirectory)/1", Array("space".utf8)) + trailer
        var base: [UInt8] = TarBuilder.file("backup_label", Self.label)
        for name in ["base/", "base/1/", "global/", "pg_wal/", "pg_wal/archive_status/", "pg_tblspc/"] {
            base += TarBuilder.header(name, .type("5"), .mode("0000700 "))
        }
        base += TarBuilder.header("pg_tblspc/16385", .type("2"), .link("/srv/space"))
        base += TarBuilder.file("PG_VERSION", Array("16\n".utf8)) + TarBuilder.file("base/1/1", Self.page)
        base += TarBuilder.file("global/pg_control", Self.page) + trailer
        archives = [space, base]
        manifest = Self.manifest(Self.files(of: version))
        var message = ServerBytes()
        message.wal(at: 0x300_0000, ServerBytes.walPages(at: 0x300_0000, count: 0x2000, fill: 0))
        wal = [message.bytes]
    }

    // MARK: - The manifest

    /// The files that are in the archives as they are made.
    package static func files(of version: Version) -> [(path: String, size: Int)] {
        [
            ("backup_label", label.count), ("PG_VERSION", 3), ("base/1/1", page.count),
            ("global/pg_control", page.count),
            ("pg_tblspc/16385/\(version.spaceDirectory)/1", 5),
        ]
    }

    /// A manifest with its checksum that lists these files, with the checksums of those that are known here.
    package static func manifest(_ files: [(path: String, size: Int)]) -> String {
        let lines = files.map { file in
            let content = contents[file.path] ?? (file.path.hasSuffix("/1") ? Array("space".utf8) : [])
            return
                #"{ "Path": "\#(file.path)", "Size": \#(file.size), "Last-Modified": "2026-01-01 00:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "\#(crc32c(content))" }"#
        }
        return sealed(
            """
            { "PostgreSQL-Backup-Manifest-Version": 1,
            "Files": [
            \(lines.joined(separator: ",\n"))
            ],
            "WAL-Ranges": [
            { "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000138" }
            ],

            """)
    }

    /// As a manifest shows it: the least significant byte first.
    package static func crc32c(_ content: [UInt8]) -> String {
        var register: UInt32 = 0xFFFF_FFFF
        for byte in content {
            register ^= UInt32(byte)
            for _ in 0..<8 { register = register & 1 == 1 ? register >> 1 ^ 0x82F6_3B78 : register >> 1 }
        }
        return (0..<4).map { shift in
            let digits = String(UInt8(truncatingIfNeeded: ~register >> (8 * shift)), radix: 16)
            return digits.utf8.count < 2 ? "0\(digits)" : digits
        }.joined()
    }

    /// All but the last line of a manifest, and the line that seals it.
    package static func sealed(_ head: String) -> String {
        let sum = try? Program.check("/usr/bin/sha256sum", [], input: head, asCaller: true).output.prefix(64)
        return "\(head)\"Manifest-Checksum\": \"\(sum ?? "")\"}\n"
    }

    // MARK: - The server

    package func serve() throws -> ScriptedServer {
        try Self.serve([self])
    }

    /// A server that is another one with each replication connection; the last one stays.
    package static func serve(_ servers: [PlayedServer]) throws -> ScriptedServer {
        // Each of them is asked first what it is.
        let asked = Locked(0)
        @Sendable func present() -> PlayedServer { asked.withLock { servers[min(max($0, 1), servers.count) - 1] } }
        var welcome = ServerBytes()
        welcome.welcome(version: servers[0].version.rawValue)
        return try ScriptedServer(startup: servers[0].answers["startup"] ?? .init(welcome.bytes)) { command in
            if command == "IDENTIFY_SYSTEM" { asked.withLock { $0 += 1 } }
            let server = present()
            // The longest beginning that fits is meant.
            let fitting = server.answers.filter { command.hasPrefix($0.key) }
            if let answer = fitting.max(by: { $0.key.utf8.count < $1.key.utf8.count }) { return answer.value }
            return try server.answer(to: command)
        }
    }

    package func answer(to command: String) throws -> ScriptedServer.Answer {
        var bytes = ServerBytes()
        switch command.split(separator: " ").prefix(2).joined(separator: " ") {
        case "IDENTIFY_SYSTEM": bytes.rows(identity.first?.count ?? 4, identity)
        case "SHOW wal_segment_size": bytes.rows(segmentSize.first?.count ?? 1, segmentSize)
        case "SHOW data_directory_mode": bytes.rows(directoryMode.first?.count ?? 1, directoryMode)
        case "SHOW wal_level": bytes.rows(1, [["replica"]])
        case "SHOW synchronous_standby_names": bytes.rows(1, synchronousStandbyNames)
        case "SHOW max_slot_wal_keep_size": bytes.rows(1, [["-1"]])
        case let text where text.hasPrefix("CREATE_REPLICATION_SLOT"):
            bytes.rows(4, [["slot", "0/3000000", nil, nil]])
        case let text where text.hasPrefix("READ_REPLICATION_SLOT"): bytes.rows(3, [["physical", "0/3000000", "1"]])
        case let text where text.hasPrefix("DROP_REPLICATION_SLOT"): bytes.complete("DROP_REPLICATION_SLOT")
        case let text where text.hasPrefix("START_REPLICATION"): return stream()
        case let text where text.hasPrefix("BASE_BACKUP"): return backup(hasManifest: command.contains("MANIFEST"))
        default: throw SupportError("nothing is played for \(command)")
        }
        bytes.ready()
        return .init(bytes.bytes)
    }

    /// BASE_BACKUP up to the first archive.
    private func head() -> ServerBytes {
        var bytes = ServerBytes()
        bytes.rows(start.first?.count ?? 2, start)
        bytes.rows(3, tablespaces)
        return bytes
    }

    private func backup(hasManifest: Bool) -> ScriptedServer.Answer {
        var bytes = head()
        let hasManifest = hasManifest && version.hasManifest
        if version.hasOneCopy {
            bytes.copyOut()
            for data in before { bytes.data(data) }
            for (name, archive) in zip(archiveNames, archives) {
                bytes.data([UInt8(ascii: "n")] + ServerBytes.string(name.0) + ServerBytes.string(name.1))
                for piece in Self.pieces(archive) { bytes.data([UInt8(ascii: "d")] + piece) }
            }
            for data in between { bytes.data(data) }
            if hasManifest { bytes.data([UInt8(ascii: "m")]) }
        } else {
            for archive in archives {
                bytes.copyOut()
                for piece in Self.pieces(archive) { bytes.data(piece) }
                bytes.copyDone()
            }
            if hasManifest { bytes.copyOut() }
        }
        let prefix = version.hasOneCopy ? [UInt8(ascii: "d")] : []
        if hasManifest, manifestPieces == nil { bytes.data(prefix + manifest.utf8) }
        var tail = ServerBytes()
        if version.hasOneCopy { for data in behind { tail.data(data) } }
        if hasManifest || version.hasOneCopy { tail.copyDone() }
        tail.rows(end.first?.count ?? 2, end)
        tail.complete("BASE_BACKUP")
        tail.ready()
        guard let manifestPieces, hasManifest else { return .init(bytes.bytes + tail.bytes) }
        var answer = ScriptedServer.Answer(bytes.bytes)
        answer.pieces = {
            AnySequence(
                manifestPieces().lazy.map { piece in
                    var message = ServerBytes()
                    message.data(prefix + piece)
                    return message.bytes
                })
        }
        answer.tail = tail.bytes
        return answer
    }

    private func stream() -> ScriptedServer.Answer {
        var bytes = ServerBytes()
        bytes.copyBoth()
        for messages in wal { bytes.raw(messages) }
        let hold = bytes.bytes.count
        bytes.copyDone()
        bytes.complete("COPY 0")
        bytes.complete("START_STREAMING")
        bytes.ready()
        return .init(bytes.bytes, holdsFrom: hold)
    }

    private static func pieces(_ archive: [UInt8]) -> [[UInt8]] {
        stride(from: 0, to: archive.count, by: 4000).map { Array(archive[$0..<min($0 + 4000, archive.count)]) }
    }
}
