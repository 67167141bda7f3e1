/// Places that belong to people or to the system: no tablespace goes there on the word of a server alone.
///
/// These are `/etc`, `/usr` and their like, `/home`, `/root`, `/var/spool`, and the home directory of each user with all
/// that is in it. The home of an account that a service logs in with, as that of PostgreSQL on most systems
/// (`/var/lib/postgresql`), is where such a service keeps its data; of that only what is hidden is guarded, `.ssh` above
/// all. Homes that are no places of anybody (`/`, `/nonexistent`, `/var/empty`, `/tmp`, `/srv`…) do not count.
package struct GuardedPlaces: Sendable {
    /// What the system says of a user.
    package struct Home: Sendable, Equatable {
        package var user: UInt32
        package var directory: String
        package var shell: String

        package init(user: UInt32, directory: String, shell: String) {
            self.user = user
            self.directory = directory
            self.shell = shell
        }

        /// Whether a service has this account: by the numbers that systems give to such ones.
        var isOfSystem: Bool { (1..<1000).contains(user) }

        /// Whether it is one that somebody logs in with. An empty shell is /bin/sh.
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

    /// By the guarded directory: its text, and whether all that is in it is guarded, or only what is hidden.
    private var places: [Path: (text: String, isWhole: Bool)] = [:]

    /// - Parameters:
    ///   - service: The user that the server runs as, where it is known: its account counts as a service's if its number
    ///     is a service's, whatever its shell.
    ///   - own: Where this process is at home by its environment. Where the system knows nothing of it, only what is hidden
    ///     there is guarded: in a container it may be the place for data.
    ///   - resolve: The path without symbolic links; nil where there is nothing.
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
            // Where two accounts share a home, the service counts: its data lies there. The system's places stay guarded.
            let before = places[Path(path)]
            guard before.map({ !Self.ofSystem.contains($0.text) }) ?? true else { continue }
            places[Path(path)] = (text, isWhole && (before?.isWhole ?? true))
        }
    }

    /// The guarded directory that one of the paths is, or lies in; nil if none.
    ///
    /// - Parameter paths: The same place, by its text and without symbolic links.
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
