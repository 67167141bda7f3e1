import Understudy

/// A compression specification as the stock tools take it apart: `METHOD`, `METHOD:DETAIL`, or only a level of gzip.
///
/// Source: compression.c in PostgreSQL's src/common, whose messages it uses.
struct CompressionSpecification: Equatable {
    /// As it was given.
    var method: String
    var detail: String?

    init(_ text: Substring) {
        // A number alone is a level of gzip; 0 means no compression, and so does nothing.
        if text.isEmpty || Self.number(text) == 0 {
            method = "none"
        } else if Self.number(text) != nil {
            method = "gzip"
            detail = String(text)
        } else {
            method = String(text.prefix { $0 != ":" })
            detail = text.firstIndex(of: ":").map { String(text[text.index(after: $0)...]) }
        }
    }

    /// What it means to a program that compresses by itself.
    struct Meaning: Equatable {
        var method: Compression.Method?
        /// nil for the default.
        var level: Int?
        var workers: Int?
        var long: Bool?
    }

    /// - Parameter lowestZstd: zstd has levels below 1, which only some programs take.
    func meaning(lowestZstd: Int) throws(UsageError) -> Meaning {
        let method = Compression.Method(rawValue: method)
        guard method != nil || self.method == "none" else {
            throw UsageError(
                "unrecognized compression algorithm: \"\(self.method)\"",
                hint: "Use none, gzip, lz4 or zstd, with a level if you like, such as zstd:9.")
        }
        var meaning = Meaning(method: method)
        if let detail {
            if let level = Self.number(detail[...]) { meaning.level = level } else { try read(detail, into: &meaning) }
        }
        try check(&meaning, lowestZstd: lowestZstd)
        return meaning
    }

    /// Comma-separated keywords; the last of each counts.
    private func read(_ detail: String, into meaning: inout Meaning) throws(UsageError) {
        for entry in detail.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1] : nil
            switch parts[0] {
            case "": throw Self.invalid("found empty string where a compression option was expected")
            case "level": meaning.level = try Self.integer(value, of: "level")
            case "workers": meaning.workers = try Self.integer(value, of: "workers")
            case "long": meaning.long = try Self.boolean(value, of: "long")
            case let other: throw Self.invalid("unrecognized compression option: \"\(other)\"")
            }
        }
    }

    private func check(_ meaning: inout Meaning, lowestZstd: Int) throws(UsageError) {
        let method = meaning.method, name = "compression algorithm \"\(self.method)\""
        // The number that stands for the default.
        let standard = method?.stockDefault ?? 0
        if meaning.level == standard { meaning.level = nil }
        if let level = meaning.level {
            guard let method else { throw Self.invalid("\(name) does not accept a compression level") }
            let lowest = method == .zstd ? lowestZstd : method.levels.lowerBound, highest = method.levels.upperBound
            guard (lowest...highest).contains(level) else {
                throw Self.invalid(
                    "\(name) expects a compression level between \(lowest) and \(highest) (default at \(standard))")
            }
        }
        if meaning.workers != nil, method != .zstd { throw Self.invalid("\(name) does not accept a worker count") }
        if meaning.long != nil, method != .zstd { throw Self.invalid("\(name) does not support long-distance mode") }
    }

    private static func integer(_ value: Substring?, of keyword: String) throws(UsageError) -> Int {
        guard let value else { throw invalid("compression option \"\(keyword)\" requires a value") }
        guard let integer = number(value) else {
            throw invalid("value for compression option \"\(keyword)\" must be an integer")
        }
        return integer
    }

    private static func boolean(_ value: Substring?, of keyword: String) throws(UsageError) -> Bool {
        switch value?.lowercased() {
        case nil, "yes", "on", "1": return true
        case "no", "off", "0": return false
        default: throw invalid("value for compression option \"\(keyword)\" must be a Boolean value")
        }
    }

    static func invalid(_ reason: String) -> UsageError {
        UsageError("invalid compression specification: \(reason)")
    }

    /// The whole text by strtol's rules: blanks, a sign, digits. A number out of range becomes the closest Int.
    private static func number(_ text: Substring) -> Int? {
        let trimmed = text.drop { $0.isWhitespace }
        let digits = trimmed.first == "-" || trimmed.first == "+" ? trimmed.dropFirst() : trimmed
        guard !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) }) else { return nil }
        return Int(trimmed) ?? (trimmed.first == "-" ? Int.min : Int.max)
    }
}

/// The value of `--compress` for WAL files.
enum CompressionArgument {
    /// The values without details.
    static let methods = ["none"] + Compression.Method.allCases.map(\.rawValue)

    static func parse(_ text: String) throws(UsageError) -> Compression {
        let meaning = try CompressionSpecification(text[...]).meaning(lowestZstd: 1)
        if meaning.workers != nil {
            throw CompressionSpecification.invalid("a worker count is not supported for WAL files")
        }
        if meaning.long != nil {
            throw CompressionSpecification.invalid("long-distance mode is not supported for WAL files")
        }
        return Compression(method: meaning.method, level: meaning.level)
    }
}

/// The value of `--compress` for base backups: a specification, with a prefix that says who compresses.
struct BackupCompressionArgument: Equatable {
    enum Place: Equatable {
        case client, server
    }

    private static let prefixes: [(String, Place)] = [("server-", .server), ("client-", .client)]

    /// The values without details.
    static let methods =
        CompressionArgument.methods
        + prefixes.flatMap { prefix in Compression.Method.allCases.map { "\(prefix.0)\($0.rawValue)" } }

    /// nil where the target decides.
    var place: Place?
    var specification: CompressionSpecification

    init(_ text: String) {
        let found = Self.prefixes.first { text.hasPrefix($0.0) }
        place = found?.1
        specification = CompressionSpecification(text.dropFirst(found?.0.count ?? 0))
    }
}

extension Compression.Method {
    /// The number by which the stock tools call the default level.
    fileprivate var stockDefault: Int {
        switch self {
        case .gzip: -1
        case .lz4: 0
        case .zstd: 3
        }
    }
}
