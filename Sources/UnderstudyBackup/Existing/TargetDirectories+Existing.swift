import UnderstudyCore
import UnderstudyPlatform

/// Directories that are not empty: nothing is undone in them, and each step leaves a state that the next run understands.
extension TargetDirectories {
    /// Makes a directory in the data directory, or takes the one that is there. A link in its place is removed.
    func makeDirectory(_ name: RelativePath) throws(FileIOError) {
        if existing != nil, let kind = try directory.kindIfThere(name) {
            if kind == .directory { return }
            try directory.remove(name)
        }
        try directory.makeDirectory(name, mode: mode)
    }

    /// Moves global/pg_control aside, so that no server starts with contents that are not whole. On stable storage when
    /// this returns.
    func hideControlFile() throws(UnderstudyError) {
        guard existing != nil else { return }
        do throws(FileIOError) {
            guard try directory.kindIfThere(ControlFilePlace.name) != nil else { return }
            try directory.rename(ControlFilePlace.name, to: ExistingDirectory.hiddenControl)
            try directory.openDirectory("global").sync()
        } catch { throw UnderstudyError(error) }
    }

    /// Empties the WAL directory, and removes what would mislead a server. The contents are those of no data directory from
    /// here on.
    ///
    /// - Parameters:
    ///   - name: Of the WAL directory.
    ///   - path: Where it goes if there is none.
    func empty(walNamed name: String, at path: String?) throws(UnderstudyError) -> ConfinedDirectory {
        let wal = try takeWALDirectory(named: name, at: path)
        hasChanged = true
        do throws(FileIOError) {
            for name in SurplusRules.removedFirst.map({ RelativePath($0) }) {
                // A directory of that name is another's.
                if let kind = try directory.kindIfThere(name), kind != .directory { try directory.remove(name) }
            }
            try removeEntries(directory) { $0 != UnfinishedMark.name && SurplusRules.isOurs("\($0)") }
            // What else is there is the user's.
            let status = SurplusRules.archiveStatus
            let hasStatus = try wal.kindIfThere(status) == .directory
            try removeEntries(wal) {
                $0 != UnfinishedMark.name && !(hasStatus && $0 == status) && SurplusRules.isOfWAL("\($0)")
            }
            if hasStatus {
                try removeEntries(wal.openDirectory(status)) { SurplusRules.isOfArchiveStatus("\($0)") }
            } else {
                try wal.makeDirectory(status, mode: mode)
            }
            premade.formUnion([name, "\(name)/archive_status"])
            return wal
        } catch { throw UnderstudyError(error) }
    }

    private func takeWALDirectory(named name: String, at path: String?) throws(UnderstudyError) -> ConfinedDirectory {
        switch existing?.wal {
        case .linked(let place): wal = try makeOther(place, .wal, isNamed: true).directory
        case .mounted:
            wal = try makeOther("\(data.directory.path)/\(name)", .wal, isNamed: true, isMounted: true).directory
        case .inside: break
        case nil, .some(.none): return try makeWALDirectory(named: name, at: path)
        }
        if let wal { return wal.directory }
        do throws(FileIOError) { return try directory.openDirectory(RelativePath(name)) } catch {
            throw UnderstudyError(error)
        }
    }

    private func removeEntries(
        _ directory: ConfinedDirectory, where goes: (RelativePath) -> Bool
    ) throws(FileIOError) {
        var names: [RelativePath] = []
        try directory.forEachEntry { entry throws(FileIOError) in
            if goes(entry.name) { names.append(entry.name) }
            return true
        }
        for name in names {
            if let interrupt, interrupt.isRaised { throw .interrupted(directory.path) }
            try directory.removeTree(name, interrupt: interrupt)
        }
    }

    // MARK: - The end

    /// Removes the control file that was moved aside, once there is another one.
    func dropHiddenControlFile() throws(UnderstudyError) {
        guard existing != nil else { return }
        do throws(FileIOError) { try directory.removeTree(ExistingDirectory.hiddenControl) } catch {
            throw UnderstudyError(error)
        }
    }

    /// Gives a directory back in which nothing was changed but names.
    ///
    /// - Returns: False if that cannot be, or it was not whole before.
    func giveBack() -> Bool {
        guard let existing, existing.left == nil, !hasChanged else { return false }
        do throws(FileIOError) {
            if try directory.kindIfThere(ExistingDirectory.hiddenControl) != nil,
                try directory.kindIfThere(ControlFilePlace.name) == nil
            {
                try directory.rename(ExistingDirectory.hiddenControl, to: ControlFilePlace.name)
                try directory.openDirectory("global").sync()
            }
            for closed in others.reversed() {
                if closed.isTaken {
                    try closed.open().remove(UnfinishedMark.name)
                } else {
                    try OwnedDirectory(reopening: closed).restore()
                }
            }
            try directory.remove(UnfinishedMark.name)
            try directory.sync()
            return true
        } catch { return false }
    }

    /// Notes in the mark that what has come is kept.
    func keep() throws(FileIOError) {
        try data.mark?.keep()
    }
}
