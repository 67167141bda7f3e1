import UnderstudyWAL

/// Splits JSON that arrives in pieces into tokens.
///
/// Supports only the JSON of backup manifests: no `true`, `false` or `null`, and lines of at most 64 kB, which bounds
/// the memory. A token that is split between pieces is kept until the rest arrives.
struct JSONLexer {
    enum Token: Equatable {
        case beginObject, endObject, beginArray, endArray, colon, comma
        /// The content is in `text`, with escapes resolved; bytes that are not UTF-8 are kept as they are.
        case string
        /// The characters are in `text`; the reader must check that they form a number.
        case number
        /// `true`, `false` or `null`, in the dialect of the stock tool.
        case literal
    }

    /// Why the input is not valid.
    struct Flaw: Error {
        var detail: String
        /// What pg_verifybackup says of it; nil for what it accepts.
        var stock: String?

        init(detail: String, stock: String? = nil) {
            self.detail = detail
            self.stock = stock
        }

        /// - Parameter parsing: What pg_verifybackup says behind its words about parsing.
        init(detail: String, parsing: String) {
            self.init(detail: detail, stock: "could not parse backup manifest: \(parsing)")
        }
    }

    private enum State {
        case between
        case string
        case escape
        case unicode(digits: Int, value: UInt16)
        case number
        case word
    }

    static let longestLine = 64 * 1024

    /// The content of the last string or number.
    private(set) var text: [UInt8] = []
    /// The line of the last byte read, counted from 1.
    private(set) var line = 1
    /// The offset of that line.
    private(set) var lineStart: UInt64 = 0
    /// The offset of the token that was returned or is being read.
    private(set) var tokenStart: UInt64 = 0

    private let isStock: Bool
    private var state = State.between
    /// The first half of a surrogate pair; the second half must follow.
    private var highSurrogate: UInt16?
    /// The offset of the current piece.
    private var pieceStart: UInt64 = 0

    init(_ dialect: ManifestDialect = .strict) {
        isStock = dialect == .stock
    }

    /// The next token, or nil at the end of the piece.
    ///
    /// - Parameter position: Where to continue in the piece. After nil, the next piece starts at 0.
    mutating func next(in piece: RawSpan, from position: inout Int) throws(Flaw) -> Token? {
        while position < piece.byteCount {
            let byte = piece.byte(at: position)
            switch state {
            case .between:
                tokenStart = pieceStart + UInt64(position)
                position += 1
                if let token = try begin(byte) { return token }
            case .string:
                if try readString(piece, from: &position) { return .string }
            case .escape:
                position += 1
                try escaped(byte)
            case .unicode(let digits, let value):
                position += 1
                guard let digit = Hexadecimal.value(byte) else {
                    throw Flaw(
                        detail: "An escape \\u has four digits.",
                        parsing: #""\u" must be followed by four hexadecimal digits."#)
                }
                let value = value << 4 | UInt16(digit)
                if digits == 3 {
                    try append(utf16: value)
                    state = .string
                } else {
                    state = .unicode(digits: digits + 1, value: value)
                }
            case .number:
                guard Self.isPartOfNumber(byte) || (isStock && Self.isPartOfWord(byte)) else {
                    state = .between
                    if isStock && !Self.isNumber(text) { throw invalidToken }
                    return .number
                }
                position += 1
                try append(byte)
            case .word:
                guard Self.isPartOfWord(byte) else {
                    state = .between
                    guard ["true", "false", "null"].contains(String(decoding: text, as: UTF8.self)) else {
                        throw invalidToken
                    }
                    return .literal
                }
                position += 1
                try append(byte)
            }
        }
        pieceStart += UInt64(piece.byteCount)
        try checkLine(endingAt: pieceStart)
        return nil
    }

    private mutating func begin(_ byte: UInt8) throws(Flaw) -> Token? {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): return nil
        case UInt8(ascii: "\n"):
            try checkLine(endingAt: tokenStart)
            line += 1
            lineStart = tokenStart + 1
            return nil
        case UInt8(ascii: "{"): return .beginObject
        case UInt8(ascii: "}"): return .endObject
        case UInt8(ascii: "["): return .beginArray
        case UInt8(ascii: "]"): return .endArray
        case UInt8(ascii: ":"): return .colon
        case UInt8(ascii: ","): return .comma
        case UInt8(ascii: "\""):
            text.removeAll(keepingCapacity: true)
            state = .string
            return nil
        case _ where isStock ? Self.beginsNumber(byte) : Self.isPartOfNumber(byte):
            text = [byte]
            state = .number
            return nil
        case _ where isStock && Self.isPartOfWord(byte):
            text = [byte]
            state = .word
            return nil
        default:
            text = [byte]
            throw invalidToken
        }
    }

    /// Whether no token has begun that has not ended.
    var isBetweenTokens: Bool {
        if case .between = state { true } else { false }
    }

    /// Why the input must not end here.
    var flawAtEnd: Flaw {
        let detail = "It ends too early."
        return switch state {
        case .string, .escape, .unicode: Flaw(detail: detail, parsing: Self.invalid("\"\(shown)"))
        case .word: invalidToken
        case .number where !Self.isNumber(text): invalidToken
        case .number, .between: Flaw(detail: detail, parsing: "The input string ended unexpectedly.")
        }
    }

    var shown: String { String(decoding: text, as: UTF8.self) }

    private var invalidToken: Flaw {
        Flaw(
            detail: "There is an unexpected character \"\(MemberPath.escaped(text.prefix(1)))\".",
            parsing: Self.invalid(shown))
    }

    private static func invalid(_ token: String) -> String { "Token \"\(token)\" is invalid." }

    /// Reads to the end of the string and returns true, or to an escape or the end of the piece and returns false.
    private mutating func readString(_ piece: RawSpan, from position: inout Int) throws(Flaw) -> Bool {
        let start = position
        while position < piece.byteCount {
            let byte = piece.byte(at: position)
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { break }
            position += 1
        }
        if position > start {
            guard highSurrogate == nil else { throw Self.halfPair }
            guard text.count + (position - start) <= Self.longestLine else { throw Self.tooLong }
            piece.extracting(start..<position).append(to: &text)
        }
        guard position < piece.byteCount else { return false }
        let byte = piece.byte(at: position)
        position += 1
        switch byte {
        case UInt8(ascii: "\""):
            guard highSurrogate == nil else { throw Self.halfPair }
            state = .between
            return true
        case UInt8(ascii: "\\"):
            state = .escape
            return false
        default:
            let value = Hexadecimal.string([byte])
            throw Flaw(
                detail: "There is a control character in a string.",
                parsing: "Character with value 0x\(value) must be escaped.")
        }
    }

    private mutating func escaped(_ byte: UInt8) throws(Flaw) {
        if byte == UInt8(ascii: "u") {
            state = .unicode(digits: 0, value: 0)
            return
        }
        guard highSurrogate == nil else { throw Self.halfPair }
        state = .string
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): try append(byte)
        case UInt8(ascii: "b"): try append(0x08)
        case UInt8(ascii: "f"): try append(0x0C)
        case UInt8(ascii: "n"): try append(0x0A)
        case UInt8(ascii: "r"): try append(0x0D)
        case UInt8(ascii: "t"): try append(0x09)
        default:
            throw Flaw(
                detail: "There is an unknown escape \"\\\(MemberPath.escaped([byte]))\" in a string.",
                parsing: "Escape sequence \"\\\(String(decoding: [byte], as: UTF8.self))\" is invalid.")
        }
    }

    private mutating func append(utf16 unit: UInt16) throws(Flaw) {
        let scalar: Unicode.Scalar?
        if isStock && unit == 0 {
            throw Flaw(detail: "There is a zero character.", parsing: #"\u0000 cannot be converted to text."#)
        }
        if let high = highSurrogate {
            guard UTF16.isTrailSurrogate(unit) else { throw Self.halfPair }
            highSurrogate = nil
            scalar = Unicode.Scalar(0x1_0000 + (UInt32(high) - 0xD800) << 10 + (UInt32(unit) - 0xDC00))
        } else if UTF16.isLeadSurrogate(unit) {
            highSurrogate = unit
            return
        } else {
            scalar = Unicode.Scalar(unit)
        }
        guard let scalar else { throw Self.halfPair }
        for byte in String(scalar).utf8 { try append(byte) }
    }

    private mutating func append(_ byte: UInt8) throws(Flaw) {
        guard text.count < Self.longestLine else { throw Self.tooLong }
        text.append(byte)
    }

    private func checkLine(endingAt end: UInt64) throws(Flaw) {
        guard end - lineStart <= UInt64(Self.longestLine) else { throw Self.tooLong }
    }

    private static func isPartOfNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    private static var tooLong: Flaw { Flaw(detail: "The line is longer than \(longestLine) bytes.") }
    private static var halfPair: Flaw {
        Flaw(
            detail: "There is half of a surrogate pair in a string.",
            parsing: "Unicode low surrogate must follow a high surrogate.")
    }
}
