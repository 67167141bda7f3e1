/// Where a tablespace of the primary goes in the copy.
package struct TablespaceMove: Hashable, Sendable {
    package var old: String
    package var new: String

    package init(from old: String, to new: String) {
        self.old = old
        self.new = new
    }
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
        for (index, mapping) in mappings.enumerated() {
            let earlier = mappings[..<index]
            if earlier.contains(where: { Path($0.old) == Path(mapping.old) }) {
                findings.append(
                    Finding(
                        "tablespace directory \"\(mapping.old)\" is mapped twice",
                        hint: "Give one mapping for each tablespace."))
            }
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
        var findings = mappings.filter { mapping in !announced.contains { Path($0) == Path(mapping.old) } }.map {
            Finding(
                "tablespace mapping \"\($0.old)\" to \"\($0.new)\" is unused",
                detail: announced.isEmpty
                    ? "The primary has no tablespaces outside of its data directory."
                    : "The primary has tablespaces in \(announced.prefix(5).map { "\"\($0)\"" }.joined(separator: ", "))\(announced.count > 5 ? " and \(announced.count - 5) more" : "").",
                hint: "Write the directory as the primary does, or leave the mapping out.")
        }
        let places = announced.filter { Path($0).isAbsolute }.map { directory in
            mappings.first { Path($0.old) == Path(directory) }?.new ?? directory
        }
        findings += overlaps(of: places, dataDirectory: dataDirectory, walDirectory: walDirectory)
        return findings
    }

    private static func overlaps(of places: [String], dataDirectory: String, walDirectory: String?) -> [Finding] {
        var findings: [Finding] = []
        func check(_ place: String, against name: String, _ other: String) {
            guard Path(place).overlaps(Path(other)) else { return }
            findings.append(
                Finding(
                    "tablespace directory \"\(place)\" overlaps the \(name) \"\(other)\"",
                    hint: "Map the tablespace to a directory of its own."))
        }
        for (index, place) in places.enumerated() {
            check(place, against: "data directory", dataDirectory)
            if let walDirectory { check(place, against: "WAL directory", walDirectory) }
            for earlier in places[..<index] { check(place, against: "tablespace directory", earlier) }
        }
        return findings
    }
}
