import Glibc
import Logging
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform

/// Tablespaces without a mapping: their paths come from the server alone.
extension TablespaceLayout {
    /// Logs the paths, and refuses those in places of users or of the system.
    func checkUnmapped(_ options: BaseBackup.Options, _ logger: Logger) throws(UnderstudyError) {
        guard !unmapped.isEmpty else { return }
        let isGuarded = options.unmappedTablespaces == .guarded
        if isGuarded { try Self.check(unmapped, Self.guardedPlaces(owner: options.owner?.user)) }
        logger.log(
            level: isGuarded ? .notice : .info,
            "tablespaces without a mapping go where they are on the primary: \(TruncatedList(unmapped.map { "\"\($0)\"" }).list)",
            metadata: .own
        )
    }

    /// Creates the links to tablespaces that the server announced and sent, but without their links.
    ///
    /// A server leaves out the link of a tablespace that is dropped meanwhile, as the WAL will show. Replay needs the
    /// link until it gets there.
    ///
    /// - Parameter linked: The OIDs of the tablespaces whose links have arrived.
    func makeMissingLinks(
        _ linked: Set<UInt32>, _ targets: TargetDirectories, _ logger: Logger
    ) throws(UnderstudyError) {
        let missing = links.filter { !linked.contains($0.key) }.sorted { $0.key < $1.key }
        guard !missing.isEmpty else { return }
        for (oid, path) in missing { try targets.makeTablespaceLink(oid, to: path) }
        logger.notice(
            "server sent no links to tablespaces that it announced, as if they were dropped meanwhile; they are made: \(TruncatedList(missing.map { "\($0.key)" }).list)"
        )
    }

    private static func guardedPlaces(owner: UInt32?) -> ProtectedDirectories {
        // A directory service may know accounts that it does not list.
        let own = [geteuid(), owner].compactMap { $0.flatMap(Account.init(user:)) }
        let homes = (Account.all() + own).map {
            ProtectedDirectories.Home(user: $0.user, directory: $0.home, shell: $0.shell)
        }
        return ProtectedDirectories(homes: homes, service: owner ?? geteuid(), own: environmentVariable("HOME")) {
            realPath($0)
        }
    }

    private static func check(_ places: [String], _ guarded: ProtectedDirectories) throws(UnderstudyError) {
        for path in places {
            guard let holder = guarded.holder(of: [path, realPathToBe(path)]) else { continue }
            throw UnderstudyError(
                .target, "tablespace directory \"\(path)\" lies in \"\(holder)\", where none goes unless it is mapped",
                detail: "The server says where its tablespaces are, and that is a place of people or of the system.",
                remedy: remedy(path))
        }
    }

    /// The options that map the tablespace elsewhere, or explicitly to this path.
    static func remedy(_ path: String) -> Remedy {
        "Put the tablespace elsewhere: \(.mapTablespace(from: path)). Or, if it is to be there: \(.mapTablespace(from: path, to: path))."
    }
}
