import Glibc
import UnderstudyPlatform

/// The version of PostgreSQL that `--version` names where the command takes a stock program's place.
///
/// Callers compare it with their server's: some want it no less, some (pghoard) the same major version. So it can be
/// chosen, first match wins: by the environment, by the link's name, by the link's folder.
struct StockVersion: Sendable, Equatable {
    static let variable = "UNDERSTUDY_PG_VERSION"
    /// Not of a server that exists, and no less than any of its minor versions.
    static let standard = StockVersion(text: "18.99")

    /// Two numbers, or three before 10.
    let text: String

    private init(text: String) {
        self.text = text
    }

    /// - Parameter text: `15.18`, `9.6.24`, or the major version alone, which stands for its newest.
    init?(_ text: some StringProtocol) {
        let numbers = String(text).utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isWellFormed = numbers.allSatisfy { number in
            (1...4).contains(number.count) && number.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }
        guard isWellFormed, let first = numbers.first.flatMap({ Int(Substring($0)) }), first > 0 else { return nil }
        let majorCount = first < 10 ? 2 : 1
        guard numbers.count == majorCount || numbers.count == majorCount + 1 else { return nil }
        self.text = numbers.count > majorCount ? String(text) : "\(text).99"
    }

    /// - Parameters:
    ///   - path: How the program was called, with or without folders.
    ///   - environment: Gives the value of a variable.
    static func chosen(
        calledAs path: String, environment: (String) -> String?
    ) throws(UsageError) -> StockVersion {
        if let wanted = environment(variable), !wanted.isEmpty {
            guard let version = StockVersion(wanted) else {
                throw UsageError(
                    "invalid value \"\(wanted)\" of the environment variable \(variable)",
                    hint: "Set it to a version of PostgreSQL, such as 15.18, or unset it.")
            }
            return version
        }
        if let (_, version) = link(path) { return version }
        return folder(of: path, searching: environment("PATH")).flatMap(inFolder) ?? standard
    }

    /// The parts of a link's name that ends in a version, such as `pg_basebackup-15`; nil if it does not.
    static func link(_ path: String) -> (name: Substring, version: StockVersion)? {
        guard let name = path.pathComponents.last, let dash = name.utf8.lastIndex(of: UInt8(ascii: "-")),
            let version = StockVersion(Substring(name.utf8[dash...].dropFirst()))
        else { return nil }
        return (name[..<dash], version)
    }

    /// The version in the usual folders of programs: `…/15/bin`, `…/pgsql-15/bin`, `…/postgresql15/bin`.
    static func inFolder(_ folder: String) -> StockVersion? {
        var parts: [Substring] = []
        for part in folder.pathComponents where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        guard parts.count >= 2, parts[parts.count - 1] == "bin" else { return nil }
        let name = parts[parts.count - 2]
        let known = ["postgresql-", "postgresql", "pgsql-", "pgsql", ""].first { name.hasPrefix($0) }
        return StockVersion(name.dropFirst(known?.count ?? 0))
    }

    /// The folder that a program was called in: that of its path, or where a shell finds its name.
    private static func folder(of path: String, searching folders: String?) -> String? {
        if path.utf8.contains(UInt8(ascii: "/")) {
            return path.isAbsolutePath ? path.parentPath : absolute(path.parentPath)
        }
        // As execvp(3) searches.
        return folders?.split(separator: ":").map(String.init).first { unsafe access("\($0)/\(path)", X_OK) == 0 }
    }

    /// Symbolic links are not followed: the link's own folder counts.
    private static func absolute(_ path: String) -> String? {
        guard let here = unsafe getcwd(nil, 0) else { return nil }
        defer { unsafe free(here) }
        return unsafe "\(String(cString: here))/\(path)"
    }
}
