/// Parses the tokens of a backup manifest.
///
/// Unknown, missing and duplicate fields are errors: a manifest that we do not fully understand cannot prove that a
/// backup is complete.
///
/// Source: PostgreSQL manual, "Backup Manifest Format".
struct ManifestParser {
    typealias Flaw = JSONLexer.Flaw

    enum Event {
        case none
        case file(ManifestFile)
        case walRange(ManifestWALRange)
        /// The name of the field with the manifest's own checksum. The checksum covers the bytes before this field's
        /// line.
        case checksumField
        /// The end of the manifest.
        case end
    }

    /// The object or array that the parser is in.
    private enum Context {
        case manifest, files, file, walRanges, walRange
    }

    /// What the next token may be.
    private enum Place {
        case beginning
        case field(orEnd: Bool)
        case colon(ManifestField)
        case value(ManifestField)
        case item(orEnd: Bool)
        case commaOrEnd
        case ended
    }

    private(set) var version = 0
    private(set) var systemIdentifier: UInt64?
    /// The SHA-256 stated in the manifest.
    private(set) var checksum: [UInt8] = []

    private var context = Context.manifest
    private var place = Place.beginning
    private var manifestFields = ManifestFieldSet()
    private var itemFields = ManifestFieldSet()

    private var path: MemberPath?
    private var size: UInt64 = 0
    private var algorithm: ChecksumAlgorithm?
    private var fileChecksum: [UInt8] = []
    private var timeline: UInt32 = 0
    private var startLSN = ""
    private var endLSN = ""

    /// - Parameter text: The content of a string or number token.
    mutating func take(_ token: JSONLexer.Token, text: [UInt8]) throws(Flaw) -> Event {
        switch (place, token) {
        case (.beginning, .beginObject):
            place = .field(orEnd: true)
        case (.field, .string):
            let field = try field(named: text)
            place = .colon(field)
            return field == .manifestChecksum ? .checksumField : .none
        case (.colon(let field), .colon):
            place = .value(field)
        case (.value(let field), _):
            try takeValue(of: field, token, text)
        case (.item, .beginObject):
            context = context == .files ? .file : .walRange
            itemFields = ManifestFieldSet()
            path = nil
            algorithm = nil
            place = .field(orEnd: true)
        case (.commaOrEnd, .comma):
            place = isInArray ? .item(orEnd: false) : .field(orEnd: false)
        case (.item(orEnd: true), .endArray), (.field(orEnd: true), .endObject),
            (.commaOrEnd, .endArray) where isInArray, (.commaOrEnd, .endObject) where !isInArray:
            return try leave()
        case (.ended, _):
            throw Flaw(detail: "There is something after its end.")
        default:
            throw Flaw(detail: "Its structure is not that of a backup manifest.")
        }
        return .none
    }

    private var isInArray: Bool {
        context == .files || context == .walRanges
    }

    private mutating func field(named name: [UInt8]) throws(Flaw) -> ManifestField {
        let table =
            switch context {
            case .file: ManifestField.ofFile
            case .walRange: ManifestField.ofWALRange
            default: ManifestField.ofManifest
            }
        guard let field = table[name] else {
            throw Flaw(detail: "There is an unknown field \"\(MemberPath.escaped(name))\".")
        }
        let isItem = context != .manifest
        guard !(isItem ? itemFields : manifestFields).contains(field) else {
            throw Flaw(detail: "The field \"\(field.name)\" is there twice.")
        }
        if isItem {
            itemFields.insert(field)
            return field
        }
        guard field == .version || manifestFields.contains(.version) else {
            throw Flaw(detail: "It does not begin with its version.")
        }
        guard !manifestFields.contains(.manifestChecksum) else {
            throw Flaw(detail: "There is a field \"\(field.name)\" after the manifest's checksum.")
        }
        manifestFields.insert(field)
        return field
    }

    private mutating func takeValue(
        of field: ManifestField, _ token: JSONLexer.Token, _ text: [UInt8]
    ) throws(Flaw) {
        let expected: JSONLexer.Token =
            switch field {
            case .files, .walRanges: .beginArray
            case .version, .systemIdentifier, .size, .timeline: .number
            default: .string
            }
        guard token == expected else { throw Flaw(detail: "The value of \"\(field.name)\" has the wrong type.") }
        place = .commaOrEnd
        switch field {
        case .files:
            context = .files
            place = .item(orEnd: true)
        case .walRanges:
            context = .walRanges
            place = .item(orEnd: true)
        case .version:
            version = Int(try number(text, of: field, upTo: UInt64(Int32.max)))
            guard (1...2).contains(version) else {
                throw Flaw(detail: "Its version is \(version); versions 1 and 2 are known.")
            }
        case .systemIdentifier: systemIdentifier = try number(text, of: field, upTo: .max)
        case .size: size = try number(text, of: field, upTo: UInt64(Int64.max))
        case .timeline: timeline = UInt32(try number(text, of: field, upTo: UInt64(UInt32.max)))
        case .manifestChecksum: checksum = try bytes(text, of: field)
        case .checksum: fileChecksum = try bytes(text, of: field)
        case .path: try setPath(text)
        case .encodedPath: try setPath(try bytes(text, of: field))
        case .checksumAlgorithm:
            algorithm = ChecksumAlgorithm(rawValue: String(decoding: text, as: UTF8.self))
            guard algorithm != nil else {
                throw Flaw(detail: "There is an unknown checksum algorithm \"\(MemberPath.escaped(text))\".")
            }
        case .startLSN: startLSN = String(decoding: text, as: UTF8.self)
        case .endLSN: endLSN = String(decoding: text, as: UTF8.self)
        case .lastModified: break
        }
    }

    private mutating func setPath(_ name: [UInt8]) throws(Flaw) {
        guard path == nil else { throw Flaw(detail: "A file has both a path and an encoded path.") }
        do {
            path = try MemberPath(name)
        } catch {
            throw Flaw(detail: "The path \"\(MemberPath.escaped(name))\" \(error.rawValue).")
        }
    }

    private mutating func leave() throws(Flaw) -> Event {
        place = .commaOrEnd
        switch context {
        case .files, .walRanges:
            context = .manifest
            return .none
        case .file:
            context = .files
            return .file(try file())
        case .walRange:
            context = .walRanges
            try require([.timeline, .startLSN, .endLSN], in: itemFields)
            return .walRange(ManifestWALRange(timeline: timeline, start: startLSN, end: endLSN))
        case .manifest:
            place = .ended
            try require([.version, .files, .walRanges, .manifestChecksum], in: manifestFields)
            if version > 1 { try require([.systemIdentifier], in: manifestFields) }
            return .end
        }
    }

    private func file() throws(Flaw) -> ManifestFile {
        guard let path else { throw Flaw(detail: "A file has no path.") }
        try require([.size], in: itemFields)
        guard itemFields.contains(.checksum) == itemFields.contains(.checksumAlgorithm) else {
            throw Flaw(detail: "The file \"\(path)\" has a checksum without an algorithm, or the reverse.")
        }
        guard let algorithm else { return ManifestFile(path: path, size: size, checksum: nil) }
        guard let checksum = FileChecksum(algorithm, fileChecksum) else {
            throw Flaw(detail: "The checksum of file \"\(path)\" has \(fileChecksum.count) bytes.")
        }
        return ManifestFile(path: path, size: size, checksum: checksum)
    }

    private func require(_ fields: [ManifestField], in present: ManifestFieldSet) throws(Flaw) {
        for field in fields where !present.contains(field) {
            throw Flaw(detail: "The field \"\(field.name)\" is missing.")
        }
    }

    private func number(_ text: [UInt8], of field: ManifestField, upTo limit: UInt64) throws(Flaw) -> UInt64 {
        let isPlain = text.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isPlain, text.count == 1 || text.first != UInt8(ascii: "0"),
            let value = UInt64(String(decoding: text, as: UTF8.self)), value <= limit
        else {
            let text = MemberPath.escaped(text.prefix(40))
            throw Flaw(detail: "The value of \"\(field.name)\" is \(text), which is not a whole number in its range.")
        }
        return value
    }

    private func bytes(_ text: [UInt8], of field: ManifestField) throws(Flaw) -> [UInt8] {
        guard let bytes = Hexadecimal.bytes(text) else {
            throw Flaw(detail: "The value of \"\(field.name)\" is not hexadecimal.")
        }
        return bytes
    }
}
