import Glibc
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// A data directory that is to be made equal to its source: what it is, as far as it tells itself. Looking changes nothing.
struct ExistingDirectory {
    /// Where the WAL is.
    enum WALPlace: Equatable {
        case none, inside, mounted
        /// Behind a link, as an absolute path.
        case linked(String)
    }

    let path: String
    /// The mark of an interrupted run; nil if there is none.
    let left: UnfinishedDirectory?
    /// nil if it cannot be told.
    let systemIdentifier: String?
    /// As PG_VERSION has it; nil if it cannot be told.
    let major: String?
    let wal: WALPlace
    /// Where tablespaces are, by OID.
    let links: [UInt32: String]
    /// Further directories that the interrupted run has marked.
    let others: Set<String>

    /// Where global/pg_control is while the contents are not whole, so that no server starts.
    static let hiddenControl: RelativePath = "global/pgsql_tmp.understudy.pg_control"

    /// The name of the WAL directory, by what is there.
    private static let walNames = UnfinishedDirectory.namesOfWAL

    /// Whether the directory held files of the user when the first run took it.
    var heldFiles: Bool { left.map { $0.record.held != nil || $0.state == .served } ?? true }

    // MARK: - The look

    /// Looks at a directory; nil if it does not exist or is empty.
    ///
    /// - Parameters:
    ///   - resumes: Whether only what an interrupted run has left is taken.
    ///   - mounts: Names in it on which empty file systems may be mounted.
    init?(
        _ path: String, resumes: Bool, trust: TrustedUsers, mounts: [RelativePath]
    ) throws(UnderstudyError) {
        var found: UnfinishedDirectory?, isEmpty = false
        do throws(OwnedDirectory.Refusal) {
            try OwnedDirectory.check(path, trust: trust, mounts: mounts)
            isEmpty = true
        } catch {
            switch error {
            case .notEmpty: break
            case .unfinished(let directory): found = directory
            default: throw UnderstudyError(error, what: "directory", trust: trust)
            }
        }
        if isEmpty {
            if resumes { throw Self.nothingToResume(path) }
            return nil
        }
        left = found
        self.path = path
        try Self.check(left, path, resumes: resumes, trust)
        let directory: ConfinedDirectory, owner: FileOwner
        do throws(FileIOError) {
            directory = try ConfinedDirectory(path: path)
            owner = try directory.modeAndOwner().owner
        } catch { throw UnderstudyError(error, else: .target) }
        // A run that was killed may not have given it away yet.
        if left == nil || owner.user != trust.user { try Self.check(owner: owner, path, trust) }
        let servers = ServersHere(owner: owner)
        try servers.refuse(directory, owner: owner)
        let control = Self.control(directory)
        major = DataDirectory.major(directory) ?? left?.record.cluster?.major
        systemIdentifier = left?.record.cluster?.systemIdentifier ?? control.map { String($0.systemIdentifier) }
        if left == nil || left?.state == .served, major == nil || !directory.exists("global/pg_control") {
            throw UnderstudyError(
                .target, "directory \"\(path)\" is not empty, and no data directory",
                detail: "It has no \(major == nil ? "PG_VERSION" : "global/pg_control").",
                hint: "Name the data directory of a server, one that does not exist yet, or an empty one.")
        }
        // An interrupted run may have left archives.
        if let left, left.record.cluster == nil, major == nil {
            throw UnderstudyError(left, what: "directory", trust: trust)
        }
        try Self.checkMounts(directory)
        wal = try Self.walPlace(directory)
        links = try Self.links(directory)
        others = Set(left?.others(trust: trust) ?? [])
        try checkShared(directory, servers, owner)
    }

    private func checkShared(
        _ directory: ConfinedDirectory, _ servers: ServersHere, _ owner: FileOwner
    ) throws(UnderstudyError) {
        let own: FileIdentity
        do throws(FileIOError) { own = try directory.identity() } catch { throw UnderstudyError(error) }
        var places = links.values.sorted().map { ($0, "tablespace directory") }
        if case .linked(let place) = wal { places.append((place, "WAL directory")) }
        for (place, what) in places {
            try servers.refuseShared(place, what, besides: own)
            try checkLinked(place, what, besides: own, owner)
        }
    }

    /// Refuses a place that only a link of the data directory names, where its owner may have no business: whoever owns the
    /// data directory can make a link to anywhere.
    private func checkLinked(
        _ place: String, _ what: String, besides own: FileIdentity, _ owner: FileOwner
    ) throws(UnderstudyError) {
        guard let found = try? ConfinedDirectory(path: place).modeAndOwner().owner else { return }
        if found.user != owner.user, !others.contains(where: { Self.isSame($0, place) }) {
            throw UnderstudyError(
                .target, "\(what) \"\(place)\" does not belong to the user of \"\(path)\"",
                detail: "Only a link in the data directory names that place.",
                hint: "Give it to that user, or remove the link.")
        }
        var parent = realPathToBe(place)
        while parent != "/" {
            if let directory = try? ConfinedDirectory(path: parent), (try? directory.identity()) != own,
                directory.exists("global/pg_control")
            {
                throw UnderstudyError(
                    .target, "\(what) \"\(place)\" lies in data directory \"\(parent)\"",
                    detail: "Only a link in \"\(path)\" names that place.", hint: "Remove the link.")
            }
            parent = parent.parentPath
        }
    }

    private static func check(
        _ left: UnfinishedDirectory?, _ path: String, resumes: Bool, _ trust: TrustedUsers
    ) throws(UnderstudyError) {
        guard let left else {
            if resumes { throw nothingToResume(path) }
            return
        }
        switch left.state {
        case .abandoned: break
        // The server was there before the run that was interrupted at its beginning, or it is asked for by name.
        case .served where left.record.held != nil || !resumes: break
        case .served:
            var refusal = UnderstudyError(left, what: "directory", trust: trust)
            refusal.remedy =
                "If nothing that server has written is needed, make the directory equal to its source: \(.updateExisting)"
            throw refusal
        default: throw UnderstudyError(left, what: "directory", trust: trust)
        }
    }

    private static func nothingToResume(_ path: String) -> UnderstudyError {
        UnderstudyError(
            .target, "directory \"\(path)\" holds no base backup that was interrupted",
            detail: "It has no mark of one.",
            remedy: "Make a data directory equal to its source, or an empty one a copy, with \(.updateExisting).")
    }

    private static func check(owner: FileOwner, _ path: String, _ trust: TrustedUsers) throws(UnderstudyError) {
        // New files would not belong to the user of the others.
        guard owner.user != (trust.owner ?? trust.user) else { return }
        let name = userName(owner.user) ?? "\(owner.user)"
        throw UnderstudyError(
            .target, "directory \"\(path)\" belongs to user \"\(name)\"",
            detail: "What is added to it would belong to another one.",
            hint: trust.user == 0 ? "Run this as that user, or name that user as the owner." : "Run this as that user.")
    }

    private static func control(_ directory: ConfinedDirectory) -> ControlFile? {
        for name in [ControlFilePlace.name, hiddenControl, ControlFilePlace.untilComplete] {
            if let bytes = try? directory.read(name, atMost: 1 << 14), let file = try? ControlFile(parsing: bytes) {
                return file
            }
        }
        return nil
    }

    /// Another file system in the middle of the files could not be told from what is not to be touched.
    private static func checkMounts(_ directory: ConfinedDirectory) throws(UnderstudyError) {
        let mount = (SurplusRules.directoriesOfServer + ["pg_tblspc"]).first {
            $0 != "pg_stat_tmp" && directory.isMount(RelativePath($0))
        }
        guard let mount else { return }
        throw UnderstudyError(
            .target, "another file system is mounted on \"\(directory.path)/\(mount)\"",
            detail: "Nothing is removed beyond the file system of the data directory, WAL aside.",
            hint: "Copy into an empty directory.")
    }

    private static func walPlace(_ directory: ConfinedDirectory) throws(UnderstudyError) -> WALPlace {
        for name in walNames where directory.exists(name) {
            if let target = directory.linkTarget(name) {
                let place = target.isAbsolutePath ? target : "\(directory.path)/\(target)"
                // A server that replays needs it, and so does what is written.
                guard realPath(place) != nil else {
                    throw UnderstudyError(
                        .target,
                        "WAL directory \"\(place)\", to which \"\(directory.fullPath(name))\" leads, is not there",
                        hint: "Make it, or remove the link: rm \(ShellText.pasted(directory.fullPath(name)))")
                }
                return .linked(place)
            }
            return directory.isMount(name) ? .mounted : .inside
        }
        return .none
    }

    private static func links(_ directory: ConfinedDirectory) throws(UnderstudyError) -> [UInt32: String] {
        var links: [UInt32: String] = [:]
        guard let places = try? directory.openDirectory("pg_tblspc") else { return links }
        do throws(FileIOError) {
            try places.forEachEntry { entry throws(FileIOError) in
                if entry.kind == .symbolicLink, let oid = UInt32(entry.name.description),
                    let target = places.linkTarget(entry.name)
                {
                    links[oid] = target.isAbsolutePath ? target : "\(places.path)/\(target)"
                }
                return true
            }
        } catch { throw UnderstudyError(error) }
        return links
    }

    // MARK: - Against the source

    /// Refuses another cluster, unless it is to be overwritten, and another major version.
    func check(against server: ServerFacts, overwritesOther: Bool) throws(UnderstudyError) {
        if let major, major != server.version.major {
            throw UnderstudyError(
                .target,
                "directory \"\(path)\" is of version \(major), and the server of version \(server.version.major)",
                hint: "Copy into an empty directory: hardly a file would stay as it is.")
        }
        let wanted = server.identity.systemIdentifier
        guard systemIdentifier != wanted, !overwritesOther else { return }
        guard let systemIdentifier else {
            guard heldFiles else { return }
            throw UnderstudyError(
                .target, "directory \"\(path)\" does not tell of which database cluster it is",
                detail: "Its global/pg_control cannot be read.",
                remedy: "If nothing in it is needed, overwrite it all the same: \(.overwriteOtherCluster)")
        }
        throw UnderstudyError(
            .target, "directory \"\(path)\" is of another database cluster than the server",
            detail: "The system identifiers are \(systemIdentifier) and \(wanted).",
            remedy: "Name another directory or server. If nothing in it is needed: \(.overwriteOtherCluster)")
    }

    // MARK: - The places

    /// Uses the WAL directory that is there. Refuses another one.
    func keepWALPlace(_ options: inout BaseBackup.Options) throws(UnderstudyError) {
        switch wal {
        case .none: return
        case .linked(let place):
            guard let given = options.walDirectory else { return options.walDirectory = place }
            if Self.isSame(given, place) { return options.walDirectory = place }
            throw Self.contradicts("WAL directory", path, "is \"\(place)\"", given)
        case .inside, .mounted:
            guard let given = options.walDirectory else { return }
            throw Self.contradicts("WAL directory", path, "lies in the data directory", given)
        }
    }

    /// Maps tablespaces to the directories where they are. Refuses another mapping of one.
    func keepTablespaces(
        _ announced: [(oid: UInt32, location: String)], _ options: inout BaseBackup.Options
    ) throws(UnderstudyError) {
        let moves = TablespaceMoves(options.moves)
        for (oid, location) in announced where location.isAbsolutePath {
            guard let place = links[oid], realPath(place) != nil else { continue }
            guard let given = moves[location] else {
                options.tablespaceMappings.append(.init(from: location, to: place))
                continue
            }
            guard Self.isSame(given, place) else {
                throw Self.contradicts("tablespace directory", path, "of \(oid) is \"\(place)\"", given)
            }
        }
    }

    /// Whether a directory outside of the data directory is taken as it is: it is one of those that are linked, or of the
    /// interrupted run.
    func holds(_ place: String) -> Bool {
        switch wal {
        case .linked(let wal) where Self.isSame(wal, place): return true
        case .mounted where Self.walNames.contains(where: { place == "\(path)/\($0)" }): return true
        default: break
        }
        return others.contains { Self.isSame($0, place) } || links.values.contains { Self.isSame($0, place) }
    }

    private static func isSame(_ one: String, _ other: String) -> Bool {
        one == other || realPathToBe(one) == realPathToBe(other)
    }

    private static func contradicts(_ what: String, _ path: String, _ is: String, _ given: String) -> UnderstudyError {
        UnderstudyError(
            .target, "the \(what) of \"\(path)\" \(`is`), and not \"\(given)\"",
            detail: "What is there is made equal where it is.",
            hint: "Leave the other place out, or move the directory while no server runs, and change the link.")
    }
}
