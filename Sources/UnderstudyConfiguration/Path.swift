/// A path by its text alone, without links: `.`, `..` and doubled slashes are resolved.
struct Path: Hashable {
    let isAbsolute: Bool
    private let components: [Substring]

    init(_ text: String) {
        isAbsolute = text.hasPrefix("/")
        var components: [Substring] = []
        for component in text.split(separator: "/") where component != "." {
            if component == "..", let last = components.last, last != ".." {
                components.removeLast()
            } else if component != ".." || !text.hasPrefix("/") {
                components.append(component)
            }
        }
        self.components = components
    }

    private init(isAbsolute: Bool, components: [Substring]) {
        self.isAbsolute = isAbsolute
        self.components = components
    }

    /// This path and each directory above it, with the names that lead from there to this path.
    var ancestors: [(directory: Path, rest: ArraySlice<Substring>)] {
        (0...components.count).reversed().map { count in
            (Path(isAbsolute: isAbsolute, components: Array(components[..<count])), components[count...])
        }
    }

    /// An order in which each directory comes before all that is in it, with nothing else in between.
    static func precedes(_ one: Path, _ other: Path) -> Bool {
        guard one.isAbsolute == other.isAbsolute else { return one.isAbsolute }
        return one.components.lexicographicallyPrecedes(other.components)
    }

    /// Whether this path is `directory` or something in it. A relative path is inside of no absolute one.
    func isInside(_ directory: Path) -> Bool {
        isAbsolute == directory.isAbsolute && components.starts(with: directory.components)
    }

    func overlaps(_ other: Path) -> Bool {
        isInside(other) || other.isInside(self)
    }
}

/// Whether `path` is `directory` or something in it, by their texts: `.`, `..` and doubled slashes are resolved,
/// symbolic links are not.
package func pathIsInside(_ path: String, _ directory: String) -> Bool {
    Path(path).isInside(Path(directory))
}
