import UnderstudyBackupFormat

/// Writes down what a reader tells.
private struct TarScribe: TarSink {
    typealias Failure = BackupFormatError

    var entries: [TarEntry] = []
    var content: [UInt8] = []
    private var expected: UInt64 = 0
    private var isOpen = false

    mutating func begin(_ entry: TarEntry) {
        precondition(!isOpen, "a member begins within another")
        precondition(entry.path.string?.split(separator: "/").contains("..") != true, "a path leads up")
        entries.append(entry)
        isOpen = true
        expected = entry.kind == .file ? entry.size : 0
    }

    mutating func content(_ bytes: RawSpan) {
        precondition(isOpen && UInt64(bytes.byteCount) <= expected, "content beyond the member's size")
        expected -= UInt64(bytes.byteCount)
        for index in 0..<bytes.byteCount {
            content.append(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
        }
    }

    mutating func end() {
        precondition(isOpen && expected == 0, "a member ends before its content")
        isOpen = false
    }
}

func fuzzTar(_ input: [UInt8]) {
    guard var cut = CutInput(input) else { return }
    // Without right checksums no input would get beyond its first header.
    if cut.control & 1 == 1 { sealHeaders(&cut.bytes) }
    func read(_ pieces: [Range<Int>]) -> (scribe: TarScribe, failure: BackupFormatError?) {
        var reader = TarReader(expectsTrailer: cut.control & 2 == 2), scribe = TarScribe()
        do throws(BackupFormatError) {
            for piece in pieces { try unsafe reader.consume(cut.bytes.span.bytes.extracting(piece), into: &scribe) }
            try reader.finish()
            return (scribe, nil)
        } catch { return (scribe, error) }
    }
    let whole = read([cut.bytes.indices]), parted = read(cut.pieces)
    precondition(whole.scribe.entries == parted.scribe.entries, "members depend on how the bytes are cut")
    precondition((whole.failure == nil) == (parted.failure == nil), "success depends on how the bytes are cut")
    if whole.failure == nil { precondition(whole.scribe.content == parted.scribe.content) }
}

/// Gives each header where one is expected its right checksum.
private func sealHeaders(_ bytes: inout [UInt8]) {
    var place = 0
    while place + 512 <= bytes.count, bytes[place] != 0 {
        for index in 148..<156 { bytes[place + index] = UInt8(ascii: " ") }
        let sum = bytes[place..<place + 512].reduce(0) { $0 + Int($1) }
        let text = String(sum, radix: 8)
        let field = String(repeating: "0", count: 6 - text.utf8.count) + text
        bytes.replaceSubrange(place + 148..<place + 154, with: field.utf8)
        bytes[place + 154] = 0
        let digits = bytes[place + 124..<place + 135].prefix { $0 >= 48 && $0 < 56 }
        let size = digits.reduce(0) { $0 << 3 | Int($1 - 48) }
        place += 512 + (size + 511) / 512 * 512
    }
}

private struct ManifestScribe: ManifestSink {
    typealias Failure = BackupFormatError

    var files: [ManifestFile] = []
    var ranges: [ManifestWALRange] = []

    mutating func file(_ file: ManifestFile) {
        precondition(file.path.string?.split(separator: "/").contains("..") != true, "a path leads up")
        files.append(file)
    }

    mutating func walRange(_ range: ManifestWALRange) { ranges.append(range) }

    mutating func foreignFile(_ name: [UInt8]) {}
}

func fuzzManifest(_ input: [UInt8]) {
    guard var cut = CutInput(input) else { return }
    if cut.control & 1 == 1 { sealManifest(&cut.bytes) }
    func read(
        _ pieces: [Range<Int>], _ dialect: ManifestDialect
    ) -> (scribe: ManifestScribe, isWhole: Bool) {
        var scribe = ManifestScribe()
        do throws(BackupFormatError) {
            var reader = try ManifestReader(dialect)
            for piece in pieces { try unsafe reader.consume(cut.bytes.span.bytes.extracting(piece), into: &scribe) }
            try reader.finish()
            return (scribe, true)
        } catch { return (scribe, false) }
    }
    for dialect in [ManifestDialect.strict, .stock] {
        let whole = read([cut.bytes.indices], dialect), parted = read(cut.pieces, dialect)
        precondition(whole.isWhole == parted.isWhole, "success depends on how the bytes are cut")
        if whole.isWhole {
            precondition(whole.scribe.files == parted.scribe.files && whole.scribe.ranges == parted.scribe.ranges)
        }
    }
}

/// Replaces the last line by one with the right checksum.
private func sealManifest(_ bytes: inout [UInt8]) {
    guard let end = bytes.dropLast().lastIndex(of: UInt8(ascii: "\n")), var digest = try? FileDigest(.sha256) else {
        return
    }
    bytes.removeSubrange((end + 1)...)
    unsafe digest.update(bytes.span.bytes)
    guard let sum = try? digest.finish() else { return }
    bytes += "\"Manifest-Checksum\": \"\(sum)\"}\n".utf8
}
