import UnderstudyWAL

/// The fields of a file or of a range of WAL in a backup manifest, as they come.
struct ManifestItem {
    private typealias Flaw = JSONLexer.Flaw

    var fields = ManifestFieldSet()
    private var name: [UInt8] = []
    private var encodedName: [UInt8] = []
    private var sizeText: [UInt8] = []
    private var algorithmName: [UInt8] = []
    private var checksumText: [UInt8] = []
    private var timelineText: [UInt8] = []
    private var startLSN = ""
    private var endLSN = ""

    /// What a value means is seen at the end: which error is the first does not depend on the order of the fields.
    mutating func take(_ field: ManifestField, _ text: [UInt8]) {
        switch field {
        case .path: name = text
        case .encodedPath: encodedName = text
        case .size: sizeText = text
        case .checksumAlgorithm: algorithmName = text
        case .checksum: checksumText = text
        case .timeline: timelineText = text
        case .startLSN: startLSN = String(decoding: text, as: UTF8.self)
        case .endLSN: endLSN = String(decoding: text, as: UTF8.self)
        case .lastModified, .version, .systemIdentifier, .files, .walRanges, .manifestChecksum: break
        }
    }

    // MARK: - A file

    func file(_ dialect: ManifestDialect) throws(JSONLexer.Flaw) -> ManifestParser.Event {
        guard fields.contains(.path) || fields.contains(.encodedPath) else {
            throw Flaw(detail: "A file has no path.", parsing: "missing path name")
        }
        guard !fields.contains(.path) || !fields.contains(.encodedPath) else {
            throw Flaw(
                detail: "A file has both a path and an encoded path.", parsing: "both path name and encoded path name")
        }
        try fields.require([.size], parsing: "missing size")
        let name = try path()
        guard !fields.contains(.checksum) || fields.contains(.checksumAlgorithm),
            dialect == .stock || fields.contains(.checksum) == fields.contains(.checksumAlgorithm)
        else {
            throw Flaw(
                detail: "The file \"\(MemberPath.escaped(name))\" has a checksum without an algorithm, or the reverse.",
                parsing: "checksum without algorithm")
        }
        let size = try ManifestNumber.value(
            sizeText, of: .size, upTo: UInt64(Int64.max), dialect, stock: "file size is not an integer")
        let algorithm = try algorithm(dialect)
        let checksum = try checksum(of: name)
        let path: MemberPath
        do {
            path = try MemberPath(name)
        } catch {
            if dialect == .stock { return .foreignFile(name) }
            throw Flaw(detail: "The path \"\(MemberPath.escaped(name))\" \(error.rawValue).")
        }
        // The stock tool compares the bytes as they are.
        if dialect == .stock, path.bytes != name { return .foreignFile(name) }
        guard let algorithm else { return .file(ManifestFile(path: path, size: size, checksum: nil)) }
        if let checksum = FileChecksum(algorithm, checksum) {
            return .file(ManifestFile(path: path, size: size, checksum: checksum))
        }
        guard dialect == .stock else {
            throw Flaw(detail: "The checksum of file \"\(path)\" has \(checksum.count) bytes.")
        }
        var file = ManifestFile(path: path, size: size, checksum: nil)
        file.unfitChecksum = .init(algorithm: algorithm, count: checksum.count)
        return .file(file)
    }

    private func path() throws(JSONLexer.Flaw) -> [UInt8] {
        guard fields.contains(.encodedPath) else { return name }
        guard let bytes = Hexadecimal.bytes(encodedName) else {
            throw Flaw(
                detail: "The value of \"\(ManifestField.encodedPath.name)\" is not hexadecimal.",
                parsing: "could not decode file name")
        }
        return bytes
    }

    /// nil for a file without a checksum.
    private func algorithm(_ dialect: ManifestDialect) throws(JSONLexer.Flaw) -> ChecksumAlgorithm? {
        guard fields.contains(.checksumAlgorithm) else { return nil }
        let text = String(decoding: algorithmName, as: UTF8.self)
        if let algorithm = ChecksumAlgorithm(rawValue: dialect == .stock ? text.uppercased() : text) {
            return algorithm
        }
        if dialect == .stock, text.uppercased() == "NONE" { return nil }
        throw Flaw(
            detail: "There is an unknown checksum algorithm \"\(MemberPath.escaped(algorithmName))\".",
            stock: "unrecognized checksum algorithm: \"\(text)\"")
    }

    private func checksum(of name: [UInt8]) throws(JSONLexer.Flaw) -> [UInt8] {
        guard let bytes = Hexadecimal.bytes(checksumText) else {
            let text = String(decoding: checksumText, as: UTF8.self)
            throw Flaw(
                detail: "The value of \"\(ManifestField.checksum.name)\" is not hexadecimal.",
                stock: "invalid checksum for file \"\(MemberPath.escaped(name))\": \"\(text)\"")
        }
        return bytes
    }

    // MARK: - WAL

    func walRange(_ dialect: ManifestDialect) throws(JSONLexer.Flaw) -> ManifestWALRange {
        try fields.require([.timeline], parsing: "missing timeline")
        try fields.require([.startLSN], parsing: "missing start LSN")
        try fields.require([.endLSN], parsing: "missing end LSN")
        let timeline = try ManifestNumber.value(
            timelineText, of: .timeline, upTo: UInt64(UInt32.max), dialect, stock: "timeline is not an integer")
        // Who reads strictly compares them with positions that are known.
        for (text, name) in [(startLSN, "start"), (endLSN, "end")] where dialect == .stock && LSN(text) == nil {
            throw Flaw(detail: "\"\(text)\" is no position in WAL.", parsing: "could not parse \(name) LSN")
        }
        return ManifestWALRange(
            timeline: UInt32(truncatingIfNeeded: timeline), start: startLSN, end: endLSN)
    }
}
