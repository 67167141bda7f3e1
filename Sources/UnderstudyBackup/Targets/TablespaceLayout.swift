import UnderstudyBackupFormat
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// The directories for the announced tablespaces.
struct TablespaceLayout {
    /// The directory here of each tablespace outside of the data directory, by OID.
    let links: [UInt32: String]
    /// The directories of tablespaces without a mapping, in the announced order.
    let unmapped: [String]

    /// - Parameter dataDirectory: An absolute path.
    init(
        _ announced: [AnnouncedArchive], options: BaseBackup.Options, dataDirectory: String
    ) throws(UnderstudyError) {
        // The stock tool does not mind mappings of no use: a script may have one for a tablespace that is dropped.
        let findings = Preflight.tablespaces(
            announced.compactMap(\.location), mappings: options.moves, dataDirectory: dataDirectory,
            walDirectory: options.walDirectory, acceptsUnused: options.unmappedTablespaces == .anywhere)
        if let finding = findings.first { throw UnderstudyError(finding, .target) }
        var links: [UInt32: String] = [:], unmapped: [String] = []
        let moves = TablespaceMoves(options.moves)
        for archive in announced {
            guard let oid = archive.oid, let location = archive.location else { continue }
            if location.isAbsolutePath {
                let moved = moves[location]
                if moved == nil { unmapped.append(location) }
                links[oid] = moved ?? location
            } else if location != "pg_tblspc/\(oid)" {
                throw UnderstudyError(
                    .protocolViolation, "server announced tablespace \(oid) in unexpected place \"\(location)\"")
            }
        }
        self.links = links
        self.unmapped = unmapped
    }

    /// Makes the directories, and returns the one of each archive.
    func makeRoots(
        _ targets: TargetDirectories, _ announced: [AnnouncedArchive]
    ) throws(UnderstudyError) -> [PlacedArchive] {
        var plans: [PlacedArchive] = []
        let unmapped = Set(unmapped)
        for archive in announced {
            var root = targets.root(targets.data, prefix: nil)
            if let oid = archive.oid {
                root =
                    if let path = links[oid] {
                        try makeTablespace(path, isNamed: !unmapped.contains(archive.location ?? ""), targets)
                    } else {
                        try targets.makeInPlaceTablespace(oid)
                    }
                do throws(MemberPath.Flaw) { root.manifestPrefix = try MemberPath("pg_tblspc/\(oid)") } catch {
                    throw UnderstudyError(.protocolViolation, "tablespace \(oid): \(error.rawValue)")
                }
            }
            plans.append(PlacedArchive(announced: archive, root: root))
        }
        return plans
    }

    /// What stands against a place that only the server named can be put right by another one.
    private func offeringMapping<Value>(
        of path: String, _ isNamed: Bool, _ body: () throws(UnderstudyError) -> Value
    ) throws(UnderstudyError) -> Value {
        do throws(UnderstudyError) { return try body() } catch {
            var error = error
            if error.code == .target, !isNamed {
                error.remedy = "Put the tablespace elsewhere: \(.mapTablespace(from: path))."
            }
            throw error
        }
    }

    /// Refuses places that ``makeRoots(_:_:)`` would refuse. Changes nothing.
    ///
    /// - Parameters:
    ///   - places: Has noted the other directories of the run.
    ///   - run: The run that would fill them.
    ///   - data: The data directory, if there is one.
    func checkPlaces(
        _ places: inout OtherPlaces, _ announced: [AnnouncedArchive], run: UnfinishedRecord, data: RecordedDirectory?
    ) throws(UnderstudyError) {
        let unmapped = Set(unmapped)
        for archive in announced {
            guard let path = archive.oid.flatMap({ links[$0] }) else { continue }
            let isNamed = !unmapped.contains(archive.location ?? "")
            try offeringMapping(of: path, isNamed) { () throws(UnderstudyError) in
                try places.check(path, .tablespace, isNamed: isNamed, run: run, data: data)
            }
        }
    }

    private func makeTablespace(
        _ path: String, isNamed: Bool, _ targets: TargetDirectories
    ) throws(UnderstudyError) -> MemberRoot {
        try offeringMapping(of: path, isNamed) { () throws(UnderstudyError) in
            try targets.makeTablespace(at: path, isNamed: isNamed)
        }
    }
}

/// An announced archive and its directory here.
struct PlacedArchive {
    var announced: AnnouncedArchive
    var root: MemberRoot
}
