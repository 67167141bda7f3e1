import Understudy

/// The value of `--compress` for WAL files: `METHOD`, `METHOD:LEVEL`, `METHOD:level=LEVEL`, or only a level of gzip.
///
/// Source: compression.c in PostgreSQL's src/common, whose messages it uses.
enum CompressionArgument {
    static func parse(_ text: String) throws(UsageError) -> Compression {
        // A number alone is a level of gzip; 0 means no compression.
        if text.isEmpty || number(text[...]) == 0 { return .none }
        if let level = number(text[...]) { return try compression(.gzip, level: level) }
        let name = text.prefix { $0 != ":" }
        let method = Compression.Method(rawValue: String(name))
        guard method != nil || name == "none" else {
            throw UsageError(
                "unrecognized compression algorithm: \"\(name)\"",
                hint: "Use none, gzip, lz4 or zstd, with a level if you like, such as zstd:9.")
        }
        guard name.endIndex < text.endIndex else { return try compression(method, level: nil) }
        let detail = text[text.index(after: name.endIndex)...]
        if let level = number(detail) { return try compression(method, level: level) }
        return try compression(method, level: try level(in: detail, of: method))
    }

    /// The level from comma-separated keywords; the last one counts.
    private static func level(in detail: Substring, of method: Compression.Method?) throws(UsageError) -> Int? {
        var level: Int?
        var unsupported: String?
        for entry in detail.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1] : nil
            switch parts[0] {
            case "": throw invalid("found empty string where a compression option was expected")
            case "level": level = try integer(value, of: "level")
            case "workers":
                _ = try integer(value, of: "workers")
                unsupported =
                    method == .zstd
                    ? "a worker count is not supported for WAL files"
                    : "compression algorithm \"\(method.name)\" does not accept a worker count"
            case "long":
                unsupported =
                    unsupported
                    ?? (method == .zstd
                        ? "long-distance mode is not supported for WAL files"
                        : "compression algorithm \"\(method.name)\" does not support long-distance mode")
            case let other: throw invalid("unrecognized compression option: \"\(other)\"")
            }
        }
        if let unsupported { throw invalid(unsupported) }
        return level
    }

    private static func integer(_ value: Substring?, of keyword: String) throws(UsageError) -> Int {
        guard let value else { throw invalid("compression option \"\(keyword)\" requires a value") }
        guard let integer = number(value) else {
            throw invalid("value for compression option \"\(keyword)\" must be an integer")
        }
        return integer
    }

    private static func compression(_ method: Compression.Method?, level: Int?) throws(UsageError) -> Compression {
        // The number that stands for the default.
        let standard = method?.stockDefault ?? 0
        guard let level, level != standard else { return Compression(method: method) }
        let name = "compression algorithm \"\(method.name)\""
        guard let method else { throw invalid("\(name) does not accept a compression level") }
        guard method.levels.contains(level) else {
            let (lowest, highest) = (method.levels.lowerBound, method.levels.upperBound)
            throw invalid(
                "\(name) expects a compression level between \(lowest) and \(highest) (default at \(standard))")
        }
        return Compression(method: method, level: level)
    }

    private static func invalid(_ reason: String) -> UsageError {
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

extension Compression.Method? {
    fileprivate var name: String { self?.rawValue ?? "none" }
}
