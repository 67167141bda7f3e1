/// Parses the tokens of a backup manifest.
///
/// Unknown, missing and duplicate fields are errors: a manifest that we do not fully understand cannot prove that a
/// backup is complete. The stock tool's dialect lets some pass: ``ManifestDialect``.
///
/// Source: PostgreSQL manual, "Backup Manifest Format"; what pg_verifybackup says, of 14 to 18.
struct ManifestParser {
    typealias Flaw = JSONLexer.Flaw

    enum Event {
        case none
        case file(ManifestFile)
        /// A file with a path that no server writes.
        case foreignFile([UInt8])
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

    private let dialect: ManifestDialect
    private var context = Context.manifest
    private var place = Place.beginning
    private var manifestFields = ManifestFieldSet()
    private var item = ManifestItem()

    init(_ dialect: ManifestDialect = .strict) {
        self.dialect = dialect
    }

    /// - Parameter lexer: Has the content of the token.
    mutating func take(_ token: JSONLexer.Token, of lexer: JSONLexer) throws(Flaw) -> Event {
        switch (place, token) {
        case (.beginning, .beginObject):
            place = .field(orEnd: true)
        case (.field, .string):
            let field = try field(named: lexer.text)
            place = .colon(field)
            return field == .manifestChecksum ? .checksumField : .none
        case (.colon(let field), .colon):
            place = .value(field)
        case (.value(let field), _):
            try takeValue(of: field, token, lexer)
        case (.item, .beginObject):
            context = context == .files ? .file : .walRange
            item = ManifestItem()
            place = .field(orEnd: true)
        case (.commaOrEnd, .comma):
            place = isInArray ? .item(orEnd: false) : .field(orEnd: false)
        case (.item(orEnd: true), .endArray), (.field(orEnd: true), .endObject),
            (.commaOrEnd, .endArray) where isInArray, (.commaOrEnd, .endObject) where !isInArray:
            return try leave()
        case (.ended, _):
            throw Flaw(detail: "There is something after its end.")
        default:
            throw Flaw(
                detail: "Its structure is not that of a backup manifest.", parsing: misplaced(token, lexer))
        }
        return .none
    }

    private var isInArray: Bool {
        context == .files || context == .walRanges
    }

    /// What the stock tool says of a token that must not stand here.
    private func misplaced(_ token: JSONLexer.Token, _ lexer: JSONLexer) -> String {
        func expected(_ what: String) -> String { "Expected \(what), but found \"\(lexer.source(of: token))\"." }
        switch place {
        case .colon: return expected("\":\"")
        case .commaOrEnd: return expected(isInArray ? "\",\" or \"]\"" : "\",\" or \"}\"")
        case .field(let orEnd): return expected(orEnd ? "string or \"}\"" : "string")
        case .beginning, .item, .value, .ended:
            return switch token {
            case .beginArray: "unexpected array start"
            case .beginObject: "unexpected object start"
            case .string, .number, .literal: "unexpected scalar"
            case .endArray, .endObject, .colon, .comma: expected("JSON value")
            }
        }
    }

    private mutating func field(named name: [UInt8]) throws(Flaw) -> ManifestField {
        let table =
            switch context {
            case .file: ManifestField.ofFile
            case .walRange: ManifestField.ofWALRange
            default: ManifestField.ofManifest
            }
        let isFirst = context == .manifest && !manifestFields.contains(.version)
        guard let field = table[name] else {
            let words =
                switch context {
                case .file: "unexpected file field"
                case .walRange: "unexpected WAL range field"
                default: isFirst ? Self.noVersion : "unrecognized top-level field"
                }
            throw Flaw(detail: "There is an unknown field \"\(MemberPath.escaped(name))\".", parsing: words)
        }
        let isItem = context != .manifest
        guard dialect == .stock || !(isItem ? item.fields : manifestFields).contains(field) else {
            throw Flaw(detail: "The field \"\(field.name)\" is there twice.")
        }
        if isItem {
            item.fields.insert(field)
            return field
        }
        guard field == .version || !isFirst else {
            throw Flaw(detail: "It does not begin with its version.", parsing: Self.noVersion)
        }
        guard !manifestFields.contains(.manifestChecksum) else {
            throw Flaw(
                detail: "There is a field \"\(field.name)\" after the manifest's checksum.",
                parsing: "unexpected object field")
        }
        manifestFields.insert(field)
        return field
    }

    private static let noVersion = "expected version indicator"

    private mutating func takeValue(
        of field: ManifestField, _ token: JSONLexer.Token, _ lexer: JSONLexer
    ) throws(Flaw) {
        let text = lexer.text
        let expected: JSONLexer.Token =
            switch field {
            case .files, .walRanges: .beginArray
            case .version, .systemIdentifier, .size, .timeline: .number
            default: .string
            }
        let isScalar = [.string, .number, .literal].contains(token)
        guard token == expected || (dialect == .stock && isScalar && expected != .beginArray) else {
            throw Flaw(
                detail: "The value of \"\(field.name)\" has the wrong type.", parsing: misplaced(token, lexer))
        }
        place = .commaOrEnd
        switch field {
        case .files:
            context = .files
            place = .item(orEnd: true)
        case .walRanges:
            context = .walRanges
            place = .item(orEnd: true)
        case .version: try setVersion(text)
        case .systemIdentifier:
            systemIdentifier = try ManifestNumber.value(
                text, of: field, upTo: .max, dialect, stock: "system identifier in manifest not an integer")
        case .manifestChecksum: try setChecksum(text)
        default: item.take(field, text)
        }
    }

    private mutating func setVersion(_ text: [UInt8]) throws(Flaw) {
        let number = try ManifestNumber.value(
            text, of: .version, upTo: UInt64(Int32.max), dialect, stock: "manifest version not an integer")
        guard (1...2).contains(number) else {
            throw Flaw(
                detail: "Its version is \(number); versions 1 and 2 are known.", parsing: "unexpected manifest version")
        }
        version = Int(number)
    }

    private mutating func setChecksum(_ text: [UInt8]) throws(Flaw) {
        let stock = "invalid manifest checksum: \"\(String(decoding: text, as: UTF8.self))\""
        guard let bytes = Hexadecimal.bytes(text),
            dialect == .strict || bytes.count == ChecksumAlgorithm.sha256.byteCount
        else {
            throw Flaw(
                detail: "The value of \"\(ManifestField.manifestChecksum.name)\" is not hexadecimal.", stock: stock)
        }
        checksum = bytes
    }

    private mutating func leave() throws(Flaw) -> Event {
        place = .commaOrEnd
        switch context {
        case .files, .walRanges:
            context = .manifest
            return .none
        case .file:
            context = .files
            return try item.file(dialect)
        case .walRange:
            context = .walRanges
            return .walRange(try item.walRange(dialect))
        case .manifest:
            place = .ended
            // The stock tool takes those without files or WAL, and finds too many files.
            let required: [ManifestField] =
                dialect == .stock ? [.manifestChecksum] : [.version, .files, .walRanges, .manifestChecksum]
            try manifestFields.require(required, parsing: "unexpected object end")
            if version > 1, dialect == .strict { try manifestFields.require([.systemIdentifier]) }
            return .end
        }
    }
}

extension ManifestFieldSet {
    /// - Parameter parsing: What the stock tool says if one is missing.
    func require(_ fields: [ManifestField], parsing: String? = nil) throws(JSONLexer.Flaw) {
        for field in fields where !contains(field) {
            let detail = "The field \"\(field.name)\" is missing."
            throw parsing.map { .init(detail: detail, parsing: $0) } ?? .init(detail: detail)
        }
    }
}
