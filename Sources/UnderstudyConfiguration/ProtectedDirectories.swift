/// Directories that belong to users or to the system. A server alone must not choose them for a tablespace.
///
/// These are `/etc`, `/usr` and the like, `/home`, `/root`, `/var/spool`, and everything in the home directory of each
/// user. A service account that can log in, like PostgreSQL's on most systems (`/var/lib/postgresql`), keeps its data
/// in its home; there only hidden files are guarded, above all `.ssh`. Homes that belong to nobody (`/`,
/// `/nonexistent`, `/var/empty`, `/tmp`, `/srv`…) do not count.
package struct ProtectedDirectories: Sendable {
    /// A user's entry in the system's user database.
    package struct Home: Sendable, Equatable {
        package var user: UInt32
        package var directory: String
        package var shell: String

        package init(user: UInt32, directory: String, shell: String) {
            self.user = user
            self.directory = directory
            self.shell = shell
        }

        /// Whether this is a service account, by the range of user IDs that systems reserve for them.
        var isOfSystem: Bool { (1..<1000).contains(user) }

        /// Whether the account can log in. An empty shell means /bin/sh.
        var logsIn: Bool {
            !["nologin", "false", "true", "sync", "halt", "shutdown"].contains(shell.split(separator: "/").last ?? "sh")
        }
    }

    private static let ofSystem = [
        "/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/root", "/sbin", "/usr", "/var/spool",
    ]
    private static let ofNobody: Set<Path> = Set(
        [
            "/", "/data", "/dev", "/dev/null", "/media", "/mnt", "/nonexistent", "/opt", "/proc", "/run", "/srv",
            "/sys",
            "/tmp", "/var", "/var/empty", "/var/lib", "/var/run", "/var/tmp",
        ].map(Path.init))

    /// By guarded directory: its text, and whether everything in it is guarded or only hidden files.
    private var places: [Path: (text: String, isWhole: Bool)] = [:]

    /// - Parameters:
    ///   - service: The user that the server runs as, if known. Its account counts as a service account if its user ID
    ///     is in that range, whatever its shell.
    ///   - own: The home directory of this process, from its environment. If the system does not know it, only hidden
    ///     files there are guarded: in a container it may be the place for data.
    ///   - resolve: Returns the path without symbolic links; nil if nothing exists there.
    package init(homes: some Sequence<Home>, service: UInt32?, own: String?, resolve: (String) -> String?) {
        for text in Self.ofSystem { guardPlace(text, isWhole: true, resolve) }
        for home in homes where Path(home.directory).isAbsolute && !Self.ofNobody.contains(Path(home.directory)) {
            let isOfService = home.isOfSystem && (home.logsIn || home.user == service)
            guardPlace(home.directory, isWhole: !isOfService, resolve)
        }
        if let own, Path(own).isAbsolute, places[Path(resolve(own) ?? own)] == nil {
            guardPlace(own, isWhole: false, resolve)
        }
    }

    private mutating func guardPlace(_ text: String, isWhole: Bool, _ resolve: (String) -> String?) {
        for path in [text, resolve(text)].compactMap({ $0 }) where !Self.ofNobody.contains(Path(path)) {
            // If two accounts share a home, the service account counts: its data is there. The system's directories
            // stay guarded.
            let before = places[Path(path)]
            guard before.map({ !Self.ofSystem.contains($0.text) }) ?? true else { continue }
            places[Path(path)] = (text, isWhole && (before?.isWhole ?? true))
        }
    }

    /// The guarded directory that equals or contains one of the paths; nil if none.
    ///
    /// - Parameter paths: The same place, as its text and without symbolic links.
    package func holder(of paths: [String]) -> String? {
        for text in paths {
            let path = Path(text)
            for (ancestor, rest) in path.ancestors {
                guard let place = places[ancestor] else { continue }
                if place.isWhole || rest.contains(where: { $0.first == UInt8(ascii: ".") }) { return place.text }
            }
        }
        return nil
    }
}
