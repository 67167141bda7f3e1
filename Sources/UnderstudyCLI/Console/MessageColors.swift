import UnderstudyPlatform

/// The colors of messages on standard error, as the stock programs take them from PG_COLOR and PG_COLORS.
///
/// The program under its own name also heeds what says that there should be none: a dumb terminal, and, where PG_COLOR does not
/// ask for them in any case, NO_COLOR and a terminal whose kind is not known.
///
/// Source: PostgreSQL manual, "Color Support"; no-color.org.
struct MessageColors: Sendable, Equatable {
    enum Part: String, Sendable {
        case error, warning, note
        /// The program's name.
        case locus
    }

    private var codes: [Part: String] = [:]

    /// No colors.
    init() {}

    /// - Parameters:
    ///   - environment: Gives the value of a variable.
    ///   - isStock: Whether the program takes a stock one's place.
    init(_ environment: (String) -> String?, isTerminal: Bool, isStock: Bool = false) {
        let kind = environment("TERM") ?? ""
        let isWanted =
            switch environment("PG_COLOR") {
            case "always": isStock || kind != "dumb"
            case "auto" where isStock: isTerminal
            case "auto": isTerminal && !["", "dumb"].contains(kind) && (environment("NO_COLOR") ?? "").isEmpty
            default: false
            }
        guard isWanted else { return }
        guard let text = environment("PG_COLORS") else {
            codes = [.error: "01;31", .warning: "01;35", .note: "01;36", .locus: "01"]
            return
        }
        for entry in text.split(separator: ":") {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let part = Part(rawValue: String(parts[0])) else { continue }
            // Nothing else may get into an escape sequence.
            if parts[1].allSatisfy({ ("0"..."9").contains($0) || $0 == ";" }) { codes[part] = String(parts[1]) }
        }
    }

    /// SGR (ECMA-48) before and behind the text.
    func paint(_ text: String, _ part: Part) -> String {
        codes[part].map { "\u{1B}[\($0)m\(text)\u{1B}[0m" } ?? text
    }
}
