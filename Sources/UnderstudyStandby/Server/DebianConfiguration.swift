import Glibc
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyPlatform
import UnderstudyProtocol

/// The configuration of a cluster as Debian keeps it: in /etc/postgresql/VERSION/NAME, apart from the data directory.
///
/// Source: pg_createcluster(1), pg_ctlcluster(1).
struct DebianConfiguration: Sendable, Equatable {
    let file: String
    let version: String
    let name: String

    static let root = "/etc/postgresql"
    static let logs = "/var/log/postgresql"

    /// nil for a file elsewhere.
    init?(file: String, root: String = Self.root) {
        let parts = file.pathComponents, above = root.pathComponents
        guard file.isAbsolutePath, parts.count == above.count + 3, parts.starts(with: above),
            parts.last == "postgresql.conf"
        else { return nil }
        self.file = file
        version = String(parts[above.count])
        name = String(parts[above.count + 1])
    }

    /// The cluster to which a data directory belongs, as its configuration says; nil if there is none.
    static func of(dataDirectory: String, version: ServerVersion, root: String = Self.root) -> DebianConfiguration? {
        let place = "\(root)/\(version.major)"
        guard let names = try? ConfinedDirectory(path: place).entries().map(\.name.description) else { return nil }
        return names.sorted().lazy
            .compactMap { DebianConfiguration(file: "\(place)/\($0)/postgresql.conf", root: root) }
            .first { $0.leads(to: dataDirectory) }
    }

    /// Whether `data_directory` in the file is this directory, which may not exist yet.
    func leads(to directory: String) -> Bool {
        let settings = CopiedSettings(in: directory, configFile: file, hasAutoConf: false)
        return settings["data_directory"].map { realPathToBe($0.value) == realPathToBe(directory) } ?? false
    }

    var startCommand: [String] { ["pg_ctlcluster", version, name, "start"] }
    var restartCommand: [String] { ["pg_ctlcluster", version, name, "restart"] }

    /// The cluster's log; nil if there is no directory for it.
    var log: String? {
        (try? ConfinedDirectory(path: Self.logs)).map { _ in "\(Self.logs)/postgresql-\(version)-\(name).log" }
    }

    /// Whether a primary with these words is a cluster of Debian, or may be one; neither is known for certain.
    ///
    /// - Parameters:
    ///   - clusterName: The setting cluster_name (from 9.5), which pg_createcluster sets to `15/main`.
    ///   - versionText: The server's version as it tells at the login: `15.18 (Debian 15.18-0+deb12u1)`.
    static func likeness(clusterName: String?, versionText: String) -> Likeness {
        let parts = (clusterName ?? "").split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 2, !parts[1].isEmpty, Double(parts[0]) != nil { return .certain }
        return ["(Debian ", "(Ubuntu "].contains { versionText.contains($0) } ? .possible : .none
    }

    enum Likeness {
        case none, possible, certain
    }
}
