/// The old and new location of a tablespace.
package struct TablespaceMove: Hashable, Sendable {
    package var old: String
    package var new: String

    package init(from old: String, to new: String) {
        self.old = old
        self.new = new
    }
}

/// The tablespace mappings by directory, however its path is written. If a directory is mapped twice, the first mapping
/// wins.
package struct TablespaceMoves: Sendable {
    private let places: [Path: String]

    package init(_ moves: [TablespaceMove]) {
        places = Dictionary(moves.map { (Path($0.old), $0.new) }, uniquingKeysWith: { first, _ in first })
    }

    /// The new location of a tablespace; nil if it is not mapped.
    package subscript(_ directory: String) -> String? { places[Path(directory)] }
}

extension Preflight {
    /// Checks the tablespace mappings by themselves, before a server is asked.
    ///
    /// - Parameter dataDirectory: An absolute path; so is `walDirectory`.
    package static func tablespaceMappings(
        _ mappings: [TablespaceMove], dataDirectory: String, walDirectory: String? = nil
    ) -> [Finding] {
        var findings: [Finding] = []
        for mapping in mappings {
            for path in [mapping.old, mapping.new] where !Path(path).isAbsolute {
                findings.append(
                    Finding(
                        "tablespace directory \"\(path)\" is not an absolute path",
                        hint: "Write both directories of the tablespace mapping from the root directory on."))
            }
        }
        var mapped: Set<Path> = []
        for mapping in mappings where !mapped.insert(Path(mapping.old)).inserted {
            findings.append(
                Finding(
                    "tablespace directory \"\(mapping.old)\" is mapped twice",
                    hint: "Give one mapping for each tablespace."))
        }
        return findings
            + overlaps(of: mappings.map(\.new), dataDirectory: dataDirectory, walDirectory: walDirectory)
    }

    /// Checks the mappings against the tablespaces that the server announced. A tablespace without a mapping keeps the
    /// primary's location.
    ///
    /// - Parameters:
    ///   - announced: The tablespaces' directories. A relative one is inside the data directory (possible from
    ///     15) and needs no location of its own.
    ///   - acceptsUnused: Whether a mapping for a tablespace that was not announced is none of the findings.
    package static func tablespaces(
        _ announced: [String], mappings: [TablespaceMove], dataDirectory: String, walDirectory: String? = nil,
        acceptsUnused: Bool = false
    ) -> [Finding] {
        let known = Set(announced.map(Path.init)), moves = TablespaceMoves(mappings)
        var findings = mappings.filter { !acceptsUnused && !known.contains(Path($0.old)) }.map {
            Finding(
                "tablespace mapping \"\($0.old)\" to \"\($0.new)\" is unused",
                detail: announced.isEmpty
                    ? "The primary has no tablespaces outside of its data directory."
                    : "The primary has tablespaces in \(announced.prefix(5).map { "\"\($0)\"" }.joined(separator: ", "))\(announced.count > 5 ? " and \(announced.count - 5) more" : "").",
                hint: "Write the directory as the primary does, or leave the mapping out.")
        }
        let places = announced.filter { Path($0).isAbsolute }.map { moves[$0] ?? $0 }
        findings += overlaps(of: places, dataDirectory: dataDirectory, walDirectory: walDirectory)
        return findings
    }

    /// A finding for each location that overlaps another, in the order of the locations. A server may announce many, so
    /// not every pair is compared: in sorted order, a directory's content follows it.
    private static func overlaps(of places: [String], dataDirectory: String, walDirectory: String?) -> [Finding] {
        let paths = places.map(Path.init), data = Path(dataDirectory), wal = walDirectory.map(Path.init)
        /// For each location, an overlapping one that comes earlier in the list.
        var partners: [Int: Int] = [:]
        /// The directories that contain the current one, outermost first.
        var around: [Int] = []
        // Of equal paths, the earlier one comes first.
        let order = paths.indices.sorted { one, other in
            paths[one] == paths[other] ? one < other : Path.precedes(paths[one], paths[other])
        }
        for index in order {
            while let outer = around.last, !paths[index].isInside(paths[outer]) { around.removeLast() }
            if let outer = around.last { partners[max(index, outer)] = min(index, outer) }
            around.append(index)
        }
        var findings: [Finding] = []
        func note(_ place: String, _ name: String, _ other: String) {
            findings.append(
                Finding(
                    "tablespace directory \"\(place)\" overlaps the \(name) \"\(other)\"",
                    hint: "Map the tablespace to a directory of its own."))
        }
        for (index, place) in places.enumerated() {
            if paths[index].overlaps(data) { note(place, "data directory", dataDirectory) }
            if let walDirectory, let wal, paths[index].overlaps(wal) { note(place, "WAL directory", walDirectory) }
            if let partner = partners[index] { note(place, "tablespace directory", places[partner]) }
        }
        return findings
    }
}
