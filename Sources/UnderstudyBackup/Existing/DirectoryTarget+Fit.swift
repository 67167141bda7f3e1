import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Whether a directory that is there can be made equal to its source: found out before anything in it changes, since from then
/// on no server starts in it.
extension DirectoryTarget {
    /// Where a comparison looks; nil if there is nothing yet. Refuses places as a run does.
    func surveyedRoots(
        _ archives: [AnnouncedArchive], _ server: ServerFacts
    ) throws(UnderstudyError) -> ExistingRoots? {
        let layout = try layOut(archives)
        try layout.checkUnmapped(options, logger)
        guard let existing else { return nil }
        let data: ConfinedDirectory
        do throws(FileIOError) { data = try ConfinedDirectory(path: path) } catch { throw UnderstudyError(error) }
        let oids = archives.compactMap(\.oid)
        return ExistingRoots(
            data: data, walName: server.version.walDirectoryName,
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
    }

    /// Refuses what is in the way, and a lack of room. Changes nothing.
    func checkFit(_ plan: BackupPlan) throws(UnderstudyError) {
        guard let listing = plan.listing, let roots = try surveyedRoots(plan.archives, plan.server) else { return }
        var walk = SurplusWalk(listing, plan.archives, roots, removes: false, interrupt: interrupt) { _ in }
        try walk.run()
        var placed: [PlacedArchive] = []
        for (index, archive) in plan.archives.enumerated() {
            // A tablespace that is new is looked at when its directory is made.
            guard let directory = if let oid = archive.oid { try roots.tablespace(oid) } else { roots.data } else {
                continue
            }
            placed.append(
                PlacedArchive(
                    announced: walk.figures.growth(of: archive, index),
                    root: MemberRoot(place: .open(directory), manifestPrefix: nil, syncsEachFile: false)))
        }
        let freed = walk.figures.surplus.bytes.addingSaturated(Self.bytesOfWAL(roots))
        try checkSpace(placed, freed: freed)
    }

    /// What emptying the WAL directory frees, as far as it can be told.
    private static func bytesOfWAL(_ roots: ExistingRoots) -> UInt64 {
        guard let wal = try? roots.data.openDirectory(RelativePath(roots.walName)) else { return 0 }
        var sum: UInt64 = 0
        try? wal.forEachEntry { entry throws(FileIOError) in
            if entry.kind == .file { sum += UInt64(max(0, try wal.sizeAndMode(of: entry.name).size)) }
            return true
        }
        return sum
    }
}
