import Glibc
import UnderstudyBackup
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// The location of the programs of a server's major version.
struct ServerPrograms: Sendable {
    /// nil if they were not found: a shell that runs a suggested command may find them.
    let directory: String?

    var pgCtl: String { path(of: "pg_ctl") }
    var psql: String { path(of: "psql") }

    private func path(of program: String) -> String {
        directory.map { "\($0)/\(program)" } ?? program
    }

    /// Uses a directory without a check; nil for programs that were not found.
    init(unchecked directory: String?) {
        self.directory = directory
    }

    /// Looks only in `given` if that is not nil; otherwise where packages put this version, then in PATH.
    init(_ version: ServerVersion, given: String?) throws(UnderstudyError) {
        let candidates =
            given.map { [$0] } ?? Self.places(version.major, path: environmentVariable("PATH"))
        for directory in candidates {
            guard unsafe access("\(directory)/pg_ctl", X_OK) == 0 else { continue }
            // A package's directory has one version; a directory from PATH or from the user may have another.
            let found = Self.majorVersion(of: directory)
            if found == version.major || (found == nil && given != nil) {
                self.directory = directory
                return
            }
            if let found, given != nil {
                throw UnderstudyError(
                    .start, "\"\(directory)\" has the programs of version \(found), the primary is \(version)",
                    remedy: "Name a directory with pg_ctl of version \(version.major) with \(.binDirectory).")
            }
        }
        throw UnderstudyError(
            .start, "could not find pg_ctl of version \(version.major)",
            detail: "Looked in \(candidates.map { "\"\($0)\"" }.joined(separator: ", ")).",
            remedy:
                "Install the server of the primary's major version here, or name its directory with \(.binDirectory).")
    }

    /// The directories where packages put a major version, then those of PATH; each once.
    static func places(_ major: String, path: String?) -> [String] {
        let usual = [
            "/usr/lib/postgresql/\(major)/bin", "/usr/pgsql-\(major)/bin", "/usr/lib/postgresql\(major)/bin",
            "/usr/local/pgsql/bin", "/opt/postgresql/\(major)/bin",
        ]
        // The programs run in the data directory, where a relative path would lead elsewhere.
        let further = path?.split(separator: ":").filter(\.isAbsolutePath) ?? []
        var seen: Set<String> = []
        return (usual + further.map(withoutLastSlash)).filter { seen.insert($0).inserted }
    }

    private static func withoutLastSlash(_ path: Substring) -> String {
        var path = path
        while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
        return String(path)
    }

    /// The version of the programs in a directory. No file beside them gives it, so pg_ctl is run.
    ///
    /// Does not use Subprocess: this runs on the clone's own thread, which cannot await.
    private static func majorVersion(of directory: String) -> String? {
        let output = outputOfProgram(
            "\(directory)/pg_ctl", ["--version"], environment: ServerEnvironment().variables, atMost: 256)
        guard let line = output?.split(separator: UInt8(ascii: "\n")).first else { return nil }
        return majorVersion(inVersionLine: String(decoding: line, as: UTF8.self))
    }

    /// `pg_ctl (PostgreSQL) 15.18 (Debian …)` has 15, `pg_ctl (PostgreSQL) 9.6.24` has 9.6, and 19beta1 has 19.
    static func majorVersion(inVersionLine line: String) -> String? {
        guard let start = line.split(separator: " ").dropFirst(2).first else { return nil }
        let numbers = start.split(whereSeparator: { !$0.isNumber })
        guard let first = numbers.first, let major = Int(first) else { return nil }
        return major >= 10 || numbers.count < 2 ? "\(major)" : "\(major).\(numbers[1])"
    }
}
