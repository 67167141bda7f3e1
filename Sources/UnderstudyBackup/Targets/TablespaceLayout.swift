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

    private func makeTablespace(
        _ path: String, isNamed: Bool, _ targets: TargetDirectories
    ) throws(UnderstudyError) -> MemberRoot {
        do throws(UnderstudyError) { return try targets.makeTablespace(at: path, isNamed: isNamed) } catch {
            var error = error
            if error.code == .target, !isNamed {
                error.remedy = "Put the tablespace elsewhere: \(.mapTablespace(from: path))."
            }
            throw error
        }
    }
}

/// An announced archive and its directory here.
struct PlacedArchive {
    var announced: AnnouncedArchive
    var root: MemberRoot
}

/// Checks that the file systems have room for the announced archives.
enum SpaceCheck {
    /// - Parameter freed: Bytes that will be freed before, on any of the file systems.
    static func check(_ plans: [PlacedArchive], freed: UInt64 = 0) throws(UnderstudyError) {
        var needed: [UInt64: (bytes: UInt64, free: UInt64, path: String)] = [:]
        for plan in plans {
            guard let size = plan.announced.size else { continue }
            let space: (device: UInt64, bytes: UInt64)
            let directory = try plan.root.open().directory
            do throws(FileIOError) { space = try directory.freeSpace() } catch { throw UnderstudyError(error) }
            let sum = (needed[space.device]?.bytes ?? 0).addingSaturated(size)
            needed[space.device] = (sum, space.bytes, plan.root.path)
        }
        for (bytes, free, path) in needed.values where bytes > free.addingSaturated(freed) {
            throw UnderstudyError(
                .noSpace, "not enough room for the backup in \"\(path)\"",
                detail:
                    "The server estimates \(Quantity.bytes(bytes)), and \(Quantity.bytes(free)) are free on that file system.",
                hint: "Free space there, or choose a target on another file system.")
        }
    }
}

extension UInt64 {
    /// The sum, capped at the largest number: estimates come from a server, and must not trap.
    func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
