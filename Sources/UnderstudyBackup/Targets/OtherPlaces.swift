import Glibc
import UnderstudyCore
import UnderstudyPlatform

/// What stands against the directories outside of the data directory that a run fills: its rules are asked before anything is
/// made, and again when each is.
struct OtherPlaces {
    let leftovers: LeftoverPolicy
    let owner: FileOwner?
    /// What the data directory was, if it was not empty.
    let existing: ExistingDirectory?
    /// The real path of each directory of the run and of its parents, with the directory's path.
    private var realPaths: [String: String] = [:], realParents: [String: String] = [:]

    init(leftovers: LeftoverPolicy, owner: FileOwner?, existing: ExistingDirectory?) {
        self.leftovers = leftovers
        self.owner = owner
        self.existing = existing
    }

    /// Notes a directory of the run, which need not be there yet.
    mutating func note(_ path: String) {
        let real = realPathToBe(path)
        realPaths[real] = path
        for parent in Self.parents(of: real) { realParents[parent] = path }
    }

    /// Whether a directory is taken with what lies in it.
    func isTaken(_ path: String) throws(UnderstudyError) -> Bool {
        guard let existing, existing.holds(path) else { return false }
        do throws(FileIOError) { return try !ConfinedDirectory(path: path).isEmpty() } catch {
            if error.number == ENOENT { return false }
            throw UnderstudyError(error)
        }
    }

    /// The rules for what interrupted runs have left at a place.
    ///
    /// - Parameter isNamed: Whether the user named the place; otherwise the server did.
    func leftovers(isNamed: Bool) -> LeftoverPolicy { isNamed ? leftovers : leftovers.inPlaceOfServer }

    /// Refuses an existing directory of another user at a path that only the server named: it is not given to the owner
    /// on the server's word, and otherwise the owner cannot use it.
    func checkOwner(of path: String, _ place: LeftoverPolicy.Place) throws(UnderstudyError) {
        guard let owner, let directory = try? ConfinedDirectory(path: path),
            let found = try? directory.modeAndOwner().owner, found.user != owner.user
        else { return }
        func name(_ user: UInt32) -> String { "\"\(userName(user) ?? "\(user)")\"" }
        throw UnderstudyError(
            .target,
            "\(place.rawValue) \"\(path)\" belongs to user \(name(found.user)), and not to \(name(owner.user))",
            remedy: TablespaceLayout.remedy(path))
    }

    /// The paths were compared as text before; a symbolic link may still lead from one into another.
    func checkLinks(_ path: String, _ place: LeftoverPolicy.Place) throws(UnderstudyError) {
        let real = realPathToBe(path)
        let other =
            ([real] + Self.parents(of: real)).lazy.compactMap { realPaths[$0] }.first ?? realParents[real]
        guard let other else { return }
        throw UnderstudyError(
            .target, "\(place.rawValue) \"\(path)\" leads into \"\(other)\" by a symbolic link",
            hint: "Choose a directory of its own.")
    }

    /// Refuses what could not be made, or not be taken. Changes nothing.
    ///
    /// - Parameters:
    ///   - run: The run that would fill it.
    ///   - data: The data directory, if there is one.
    mutating func check(
        _ path: String, _ place: LeftoverPolicy.Place, isNamed: Bool = true, run: UnfinishedRecord,
        data: RecordedDirectory?
    ) throws(UnderstudyError) {
        if try isTaken(path) {
            do throws(OwnedDirectory.Refusal) {
                try OwnedDirectory.checkTaking(path, run: run, data: data, owner: owner)
            } catch { throw UnderstudyError(error, what: place.rawValue, trust: leftovers.trust) }
        } else {
            try leftovers(isNamed: isNamed).check(path, place)
        }
        if !isNamed { try checkOwner(of: path, place) }
        try checkLinks(path, place)
        note(path)
    }

    /// The parents of a path that has neither links nor doubled slashes.
    private static func parents(of path: String) -> [String] {
        var parents: [String] = [], path = path
        while path != "/" {
            path = path.parentPath
            parents.append(path)
        }
        return parents
    }
}
