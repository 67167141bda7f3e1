/// Where a tablespace of the primary goes in the copy.
package struct TablespaceMove: Hashable, Sendable {
    package var old: String
    package var new: String

    package init(from old: String, to new: String) {
        self.old = old
        self.new = new
    }
}

/// The mappings of tablespaces by their directory, however its path is written. The first of several counts.
package struct TablespaceMoves: Sendable {
    private let places: [Path: String]

    package init(_ moves: [TablespaceMove]) {
        places = Dictionary(moves.map { (Path($0.old), $0.new) }, uniquingKeysWith: { first, _ in first })
    }

    /// Where a tablespace goes that is mapped; nil for one that is not.
    package subscript(_ directory: String) -> String? { places[Path(directory)] }
}

extension Preflight {
    /// What is wrong with tablespace mappings by themselves: known before a server is asked.
    ///
    /// - Parameter dataDirectory: Absolute, as is `walDirectory`.
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

    /// What is wrong with the mappings for the tablespaces that the server announced. One without a mapping goes
    /// where it is on the primary.
    ///
    /// - Parameter announced: Their directories. A relative one is in the data directory (servers from 15 can be
    ///   set up so), and needs no place of its own.
    package static func tablespaces(
        _ announced: [String], mappings: [TablespaceMove], dataDirectory: String, walDirectory: String? = nil
    ) -> [Finding] {
        let known = Set(announced.map(Path.init)), moves = TablespaceMoves(mappings)
        var findings = mappings.filter { !known.contains(Path($0.old)) }.map {
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

    /// A finding for each place that overlaps another one, in the order of the places. A server may announce any number
    /// of them, so not every pair is looked at: by order, what lies in a directory follows it.
    private static func overlaps(of places: [String], dataDirectory: String, walDirectory: String?) -> [Finding] {
        let paths = places.map(Path.init), data = Path(dataDirectory), wal = walDirectory.map(Path.init)
        /// For each place, one that comes before it in the list.
        var partners: [Int: Int] = [:]
        /// The directories around the present one, outermost first.
        var around: [Int] = []
        // With the same path the earlier one comes first.
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
