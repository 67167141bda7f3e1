import Glibc
import UnderstudyConfiguration
import UnderstudyPlatform
import UnderstudyProtocol

/// What the primary's server has logged into its data directory, and which came along.
enum CopiedLogs {
    /// The directory of the logs beneath the data directory; nil if they are elsewhere, or in a directory that the server
    /// uses for something else.
    ///
    /// - Parameters:
    ///   - setting: log_directory; nil if it is not known. The default depends on the version.
    ///   - source: The primary's data directory; nil if it is not known.
    static func place(_ setting: String?, in source: String?, _ version: ServerVersion) -> String? {
        var path = setting ?? (version.usesXlogName ? "pg_log" : "log")
        if path.isAbsolutePath {
            guard let source, pathIsInside(path, source) else { return nil }
            path = path.pathComponents.dropFirst(source.pathComponents.count).joined(separator: "/")
        }
        let parts = path.pathComponents.filter { $0 != "." }
        guard let first = parts.first, !parts.contains(".."), first == "pg_log" || !isOfServer(first) else {
            return nil
        }
        return parts.joined(separator: "/")
    }

    private static func isOfServer(_ name: Substring) -> Bool {
        name.hasPrefix("pg_") || ["base", "global"].contains(name)
    }

    /// Removes the logs in that directory, and the note of the newest ones. The directory stays, and so does every file
    /// that is none by its name: the directory may hold others, too.
    ///
    /// - Returns: How many files were removed.
    static func remove(_ place: String, from data: ConfinedDirectory) throws(FileIOError) -> Int {
        let note: RelativePath = "current_logfiles", logs = RelativePath(place)
        if data.exists(note) { try data.remove(note) }
        guard data.exists(logs), try data.status(of: logs).st_mode & S_IFMT == S_IFDIR else { return 0 }
        let directory = try data.openDirectory(logs)
        var count = 0
        for entry in try directory.entries() where entry.kind == .file && isLog(entry.name.description) {
            try directory.remove(entry.name)
            count += 1
        }
        return count
    }

    /// By the suffixes of log_filename's default, of the formats `csvlog` and `jsonlog`, and of what rotates logs:
    /// `x.log`, `x.csv`, `x.json`, `x.log.1`, `x.log.gz`.
    static func isLog(_ name: String) -> Bool {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false).dropFirst()
        while let last = parts.last, Int(last) != nil || ["gz", "xz", "bz2", "zst", "lz4", "old"].contains(last) {
            parts.removeLast()
        }
        return parts.last.map { ["log", "csv", "json"].contains($0) } ?? false
    }
}
