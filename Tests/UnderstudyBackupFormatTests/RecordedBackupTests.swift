import Foundation
import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

/// What real servers of every version sent.
@Suite struct RecordedBackupTests {
    /// A member as meta.json tells it.
    struct Member: Hashable {
        var path: String
        var type: String
        var mode: String
        var size: UInt64?
        var sha256: String?
        var target: String?
    }

    /// Keeps no content, but its SHA-256 and the checksum that the manifest has.
    struct Digester: TarSink, ~Copyable {
        typealias Failure = BackupFormatError

        var members: [Member] = []
        var arrivals: [(path: MemberPath, size: UInt64, checksum: FileChecksum?)] = []
        private var entry: TarEntry?
        private var length: UInt64 = 0
        private var sha: FileDigest
        private var manifest: FileDigest

        init(sha: consuming FileDigest, manifest: consuming FileDigest) {
            self.sha = sha
            self.manifest = manifest
        }

        mutating func begin(_ entry: TarEntry) throws(BackupFormatError) {
            self.entry = entry
            length = 0
            sha.reset()
            manifest.reset()
        }

        mutating func content(_ bytes: RawSpan) throws(BackupFormatError) {
            length += UInt64(bytes.byteCount)
            sha.update(bytes)
            manifest.update(bytes)
        }

        mutating func end() throws(BackupFormatError) {
            guard let entry else { return }
            var member = Member(path: entry.path.string ?? "", type: "dir", mode: String(entry.mode, radix: 8))
            switch entry.kind {
            case .directory: break
            case .symbolicLink(let target):
                member.type = "symlink"
                member.target = String(decoding: target, as: UTF8.self)
            case .file:
                member.type = "file"
                member.size = length
                member.sha256 = try sha.finish()?.description
                arrivals.append((entry.path, length, try manifest.finish()))
            }
            members.append(member)
        }
    }

    /// A recorded base backup.
    struct Session: CustomTestStringConvertible {
        var version: String
        var name: String
        var testDescription: String { "\(version) \(name)" }

        static let all = Recording.versions.flatMap { version in
            [
                "20-base-backup", "21-base-backup-wal", "22-base-backup-gzip", "22-base-backup-lz4",
                "22-base-backup-zstd", "25-base-backup-tablespace-map",
            ].filter { Recording.versions(with: $0).contains(version) }.map { Session(version: version, name: $0) }
        }
        static let withManifest = all.filter { Recording.versionsWithManifest.contains($0.version) }
    }

    @Test func `every kind of recorded backup is there`() {
        #expect(Session.all.count == 14 + 3 + 3 + 12)
    }

    @Test(arguments: Session.all)
    func `members are what the server sent`(session: Session) throws {
        try check(session, .whole)
        try check(session, .random(seed: 1, limit: 40_000))
    }

    @Test func `members are the same byte by byte`() throws {
        try check(Session(version: "15", name: "20-base-backup"), .every(1))
    }

    /// A connection may end after any message. Up to 14 an archive has no trailer, so that only CopyDone says that it
    /// is whole; its members are whole all the same.
    @Test(arguments: Recording.versions)
    func `an archive that is cut behind a message is noticed, or holds whole members`(version: String) throws {
        let recording = try Recording(version)
        let backup = try #require(recording.meta.backups["20-base-backup"])
        var archive = -1
        var reader = TarReader()
        var digester = Digester(sha: try FileDigest(.sha256), manifest: try FileDigest(.crc32c))
        var bytes = 0, cuts = 0
        for (type, body) in try recording.messages("20-base-backup") {
            var data = body
            let begins = recording.major >= 15 ? type == "d" && body.first == UInt8(ascii: "n") : type == "H"
            if begins {
                archive += 1
                guard archive < backup.archives.count else { break }
                reader = TarReader(expectsTrailer: backup.archives[archive].zero_trailer_bytes > 0)
                digester.members = []
                bytes = 0
                continue
            }
            guard type == "d" else { continue }
            if recording.major >= 15 {
                if body.first == UInt8(ascii: "m") { break }
                guard data.popFirst() == UInt8(ascii: "d") else { continue }
            }
            try reader.consume(Array(data).rawSpan, into: &digester)
            bytes += data.count
            cuts += 1
            let facts = backup.archives[archive]
            if bytes == facts.bytes {
                try reader.finish()
            } else if recording.major >= 15 {
                #expect(throws: BackupFormatError.self) { try reader.finish() }
            } else if (try? reader.finish()) != nil {
                let expected = backup.files.filter { $0.archive == .init(oid: facts.oid) }.prefix(
                    digester.members.count)
                #expect(digester.members.map(\.path) == expected.map(\.path))
                #expect(digester.members.map(\.sha256) == expected.map(\.sha256))
            }
        }
        #expect(cuts > 50)
    }

    @Test(arguments: Session.withManifest)
    func `all that arrived is in the manifest, and verified`(session: Session) throws {
        let recording = try Recording(session.version)
        let backup = try #require(recording.meta.backups[session.name])
        let manifest = try #require(recording.streams(session.name).last)
        #expect(manifest.count == backup.manifest?.bytes)
        #expect(try sha256(manifest) == backup.manifest?.sha256)

        let files = try ManifestRecorder.read(manifest).files
        // 21 was asked for with SHA256.
        let algorithm = try #require(files.first?.checksum?.algorithm)
        #expect(algorithm == (session.name == "21-base-backup-wal" && session.version == "15" ? .sha256 : .crc32c))
        var ledger = ArrivalLedger()
        for (archive, bytes) in zip(backup.archives, try archives(recording, session)) {
            let parent = try archive.oid.map { try MemberPath("pg_tblspc/\($0)") }
            for (path, size, checksum) in try digest(bytes, .whole, archive, algorithm).arrivals {
                let path = parent?.appending(path) ?? path
                // The manifest lists the ranges of the WAL in a backup instead of its files, but their .done files.
                let isWAL = path.string?.hasPrefix("pg_wal/0000") ?? false
                if isWAL { continue }
                ledger.record(path: path, size: size, checksum: checksum)
            }
        }
        for cut in [Cut.whole, .every(1), .random(seed: 3, limit: 20_000)] {
            let recorder = try ManifestRecorder.read(manifest, cut)
            #expect(recorder.files.count == ledger.count)
            #expect(recorder.version == (recording.major >= 17 ? 2 : 1))
            let identifier = recorder.version == 2 ? UInt64(recording.meta.system_identifier) : nil
            #expect(recorder.systemIdentifier == identifier)
            #expect(recorder.ranges.count == 1)
        }
        // Files of pg_wal may be in a backup without being listed.
        #expect(ledger.unlistedCount > 200)
        for file in files {
            #expect(ledger.check(file) == .verified, "\(file.path)")
        }
        #expect(ledger.unlistedCount == 0)
    }

    private func check(_ session: Session, _ cut: Cut) throws {
        let recording = try Recording(session.version)
        let backup = try #require(recording.meta.backups[session.name])
        let archives = try archives(recording, session)
        #expect(archives.count == backup.archives.count)
        for (archive, bytes) in zip(backup.archives, archives) {
            #expect(bytes.count == archive.bytes)
            #expect(try sha256(bytes) == archive.sha256)
            let expected = backup.files.filter { $0.archive == .init(oid: archive.oid) }.map { file in
                Member(
                    path: file.path, type: file.type, mode: String(file.mode.drop { $0 == "0" }), size: file.size,
                    sha256: file.sha256, target: file.target)
            }
            let members = try digest(bytes, cut, archive).members
            #expect(!expected.isEmpty)
            #expect(members == expected, "\(cut)")
        }
    }

    /// The archives as tar, in the order sent, without the manifest.
    private func archives(_ recording: Recording, _ session: Session) throws -> [[UInt8]] {
        let backup = try #require(recording.meta.backups[session.name])
        let streams = try recording.streams(session.name)
        #expect(streams.count == backup.archives.count + (recording.hasManifest ? 1 : 0))
        return try zip(backup.archives, streams).map { archive, bytes in
            guard let stored = archive.stored_bytes else { return bytes }
            #expect(bytes.count == stored)
            #expect(try sha256(bytes) == archive.stored_sha256)
            let file = TestDirectory.freshPath("compressed")
            try Data(bytes).write(to: URL(filePath: file))
            defer { try? FileManager.default.removeItem(atPath: file) }
            let program = try #require(
                [".gz": "gzip -dc", ".lz4": "lz4 -dcq", ".zst": "zstd -dcq"]
                    .first { archive.name?.hasSuffix($0.key) ?? false }?.value)
            return try Program.filter(program, file)
        }
    }

    private func sha256(_ bytes: [UInt8]) throws -> String? {
        var digest = try FileDigest(.sha256)
        digest.update(bytes.rawSpan)
        return try digest.finish()?.description
    }

    private func digest(
        _ bytes: [UInt8], _ cut: Cut, _ archive: Recording.Backup.Archive, _ algorithm: ChecksumAlgorithm = .crc32c
    ) throws -> (members: [Member], arrivals: [(path: MemberPath, size: UInt64, checksum: FileChecksum?)]) {
        var reader = TarReader(expectsTrailer: archive.zero_trailer_bytes > 0)
        var digester = Digester(sha: try FileDigest(.sha256), manifest: try FileDigest(algorithm))
        for range in cut.ranges(of: bytes.count) {
            try reader.consume(bytes.rawSpan.extracting(range), into: &digester)
        }
        try reader.finish()
        return (digester.members, digester.arrivals)
    }
}
