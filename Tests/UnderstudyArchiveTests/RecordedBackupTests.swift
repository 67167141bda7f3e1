import Testing
import UnderstudyArchive

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

    /// Keeps no content, but its SHA-256 and, as an understudy does, its CRC-32C.
    struct Digester: TarSink, ~Copyable {
        typealias Failure = ArchiveError

        var members: [Member] = []
        var arrivals: [(path: MemberPath, size: UInt64, checksum: FileChecksum?)] = []
        private var entry: TarEntry?
        private var length: UInt64 = 0
        private var sha: FileDigest
        private var crc: FileDigest

        init(sha: consuming FileDigest, crc: consuming FileDigest) {
            self.sha = sha
            self.crc = crc
        }

        mutating func begin(_ entry: TarEntry) throws(ArchiveError) {
            self.entry = entry
            length = 0
            sha.reset()
            crc.reset()
        }

        mutating func content(_ bytes: RawSpan) throws(ArchiveError) {
            length += UInt64(bytes.byteCount)
            sha.update(bytes)
            crc.update(bytes)
        }

        mutating func end() throws(ArchiveError) {
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
                arrivals.append((entry.path, length, try crc.finish()))
            }
            members.append(member)
        }
    }

    @Test(arguments: Transcript.versions)
    func `members are what the server sent`(version: String) throws {
        try check(version, .whole)
        try check(version, .random(seed: 1, limit: 40_000))
        try check(version, .random(seed: 2, limit: 1_000_000))
    }

    @Test func `members are the same byte by byte`() throws {
        try check("15", .every(1))
    }

    @Test(arguments: Transcript.versionsWithManifest)
    func `all that arrived is in the manifest, and verified`(version: String) throws {
        let transcript = try Transcript(version: version)
        let manifest = try #require(transcript.manifest)
        #expect(manifest.count == transcript.facts.manifest?.bytes)

        var ledger = ArrivalLedger()
        for (archive, bytes) in zip(transcript.facts.archives, transcript.archives) {
            let parent = try archive.oid.map { try MemberPath("pg_tblspc/\($0)") }
            for (path, size, checksum) in try digest(bytes, .whole, archive).arrivals {
                ledger.record(path: parent?.appending(path) ?? path, size: size, checksum: checksum)
            }
        }
        for cut in [Cut.whole, .every(1), .random(seed: 3, limit: 20_000)] {
            let recorder = try ManifestRecorder.read(manifest, cut)
            #expect(recorder.files.count == ledger.count)
            #expect(recorder.version == ((Int(version) ?? 0) >= 17 ? 2 : 1))
            let identifier = recorder.version == 2 ? UInt64(transcript.systemIdentifier) : nil
            #expect(recorder.systemIdentifier == identifier)
            #expect(recorder.ranges.count == 1)
        }
        #expect(ledger.unlistedCount == ledger.count)
        for file in try ManifestRecorder.read(manifest).files {
            #expect(ledger.check(file) == .verified, "\(file.path)")
        }
        #expect(ledger.unlistedCount == 0)
    }

    private func check(_ version: String, _ cut: Cut) throws {
        let transcript = try Transcript(version: version)
        #expect(transcript.archives.count == transcript.facts.archives.count)
        for (archive, bytes) in zip(transcript.facts.archives, transcript.archives) {
            #expect(bytes.count == archive.bytes)
            let name = archive.oid.map { Transcript.Facts.ArchiveName.tablespace($0) } ?? .base
            let expected = transcript.facts.files.filter { $0.archive == name }.map { file in
                Member(
                    path: file.path, type: file.type, mode: String(file.mode.drop { $0 == "0" }),
                    size: file.size.map { UInt64($0) }, sha256: file.sha256, target: file.target)
            }
            let members = try digest(bytes, cut, archive).members
            #expect(!expected.isEmpty)
            #expect(members == expected, "\(cut)")
        }
    }

    private func digest(
        _ bytes: [UInt8], _ cut: Cut, _ archive: Transcript.Facts.Archive
    ) throws -> (members: [Member], arrivals: [(path: MemberPath, size: UInt64, checksum: FileChecksum?)]) {
        var reader = TarReader(expectsTrailer: archive.zeroTrailerBytes > 0)
        var digester = Digester(sha: try FileDigest(.sha256), crc: try FileDigest(.crc32c))
        for range in cut.ranges(of: bytes.count) {
            try reader.consume(bytes.rawSpan.extracting(range), into: &digester)
        }
        try reader.finish()
        return (digester.members, digester.arrivals)
    }
}
