import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Whether a directory that is there can be made equal to its source: found out before anything in it changes, since from then
/// on no server starts in it.
extension DirectoryTarget {
    /// Compares names and sizes, and refuses what a run would refuse: places of tablespaces, what is in the way, a lack of
    /// room. Changes nothing.
    func compare(
        _ listing: FileTable, _ archives: [AnnouncedArchive], _ layout: TablespaceLayout, _ server: ServerFacts,
        report: @escaping (SurplusWalk.Finding) -> Void = { _ in }
    ) throws(UnderstudyError) -> ExistingFigures {
        try checkPlaces(layout, archives, server)
        let places = archives.map { archive in archive.oid.flatMap { layout.links[$0] } ?? path }
        var figures = ExistingFigures(), freed: [(size: UInt64, path: String)] = []
        if let existing {
            let roots = try roots(of: existing, layout, archives, server)
            var walk = SurplusWalk(listing, archives, roots, removes: false, interrupt: interrupt, report: report)
            try walk.run()
            figures = walk.figures
            freed = figures.freed.map { ($0.value, places[$0.key]) }
            if let wal = roots.wal { freed.append((Self.bytesOfWAL(wal), wal.path)) }
        } else {
            for file in listing.files { figures.source.count(file.size) }
            figures.settle()
        }
        try allowingHoles { () throws(UnderstudyError) in
            try SpaceCheck.check(
                zip(archives.indices, places).map { index, place in
                    (figures.growth(of: archives[index], index).size, place)
                }, freed: freed)
        }
        return figures
    }

    /// Tablespaces are refused as they are when their directories are made, and so is the WAL directory.
    private func checkPlaces(
        _ layout: TablespaceLayout, _ archives: [AnnouncedArchive], _ server: ServerFacts
    ) throws(UnderstudyError) {
        var places = OtherPlaces(leftovers: leftovers, owner: options.owner?.fileOwner, existing: existing)
        places.note(path)
        let run = UnfinishedRecord.ofRun(
            goingOnFrom: existing?.left?.record, UnfinishedRecord.Cluster(of: server))
        let data = (try? ConfinedDirectory(path: path).identity()).map { RecordedDirectory(path: path, identity: $0) }
        try layout.checkPlaces(&places, archives, run: run, data: data)
        if let wal = options.walDirectory { try places.check(wal, .wal, run: run, data: data) }
    }

    /// Where a comparison looks.
    private func roots(
        of existing: ExistingDirectory, _ layout: TablespaceLayout, _ archives: [AnnouncedArchive],
        _ server: ServerFacts
    ) throws(UnderstudyError) -> ExistingRoots {
        let data: ConfinedDirectory
        do throws(FileIOError) { data = try ConfinedDirectory(path: path) } catch { throw UnderstudyError(error) }
        let oids = archives.compactMap(\.oid), walName = server.version.walDirectoryName
        var roots = ExistingRoots(
            data: data, walName: walName,
            isLinked: oids.reduce(into: [:]) { $0[$1] = layout.links[$1] != nil },
            tablespace: { oid throws(UnderstudyError) in
                guard let place = layout.links[oid] else {
                    return try? data.openDirectory(RelativePath("pg_tblspc/\(oid)"))
                }
                guard existing.holds(place), realPath(place) != nil else { return nil }
                do throws(FileIOError) { return try ConfinedDirectory(path: place) } catch {
                    throw UnderstudyError(error)
                }
            })
        switch existing.wal {
        case .linked(let place): roots.wal = try? ConfinedDirectory(path: place)
        case .inside, .mounted: roots.wal = try? data.openDirectory(RelativePath(walName))
        case .none: break
        }
        return roots
    }

    /// What emptying the WAL directory frees, as far as it can be told.
    private static func bytesOfWAL(_ wal: ConfinedDirectory) -> UInt64 {
        var sum: UInt64 = 0
        try? wal.forEachEntry { entry throws(FileIOError) in
            if entry.kind == .file, SurplusRules.isOfWAL("\(entry.name)") {
                sum += UInt64(max(0, try wal.sizeAndMode(of: entry.name).size))
            }
            return true
        }
        return sum
    }
}
