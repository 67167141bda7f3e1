/// A path by its text alone, without links: `.`, `..` and doubled slashes are resolved.
///
/// File systems compare bytes. A slash with a combining character behind it is one `Character`, and a slash all the same;
/// and two strings that are equal, as one with `é` and one with `e` and an accent, are two names.
struct Path: Hashable {
    typealias Component = ArraySlice<UInt8>

    private static let here: Component = [UInt8(ascii: ".")], above: Component = here + here

    let isAbsolute: Bool
    private let components: [Component]

    init(_ text: String) {
        let slash = UInt8(ascii: "/")
        isAbsolute = text.utf8.first == slash
        var components: [Component] = []
        for component in Array(text.utf8).split(separator: slash) where component != Self.here {
            if component == Self.above, let last = components.last, last != Self.above {
                components.removeLast()
            } else if component != Self.above || !isAbsolute {
                components.append(component)
            }
        }
        self.components = components
    }

    private init(isAbsolute: Bool, components: [Component]) {
        self.isAbsolute = isAbsolute
        self.components = components
    }

    /// This path and each directory above it, with the names that lead from there to this path.
    var ancestors: [(directory: Path, rest: ArraySlice<Component>)] {
        (0...components.count).reversed().map { count in
            (Path(isAbsolute: isAbsolute, components: Array(components[..<count])), components[count...])
        }
    }

    /// An order in which each directory comes before all that is in it, with nothing else in between.
    static func precedes(_ one: Path, _ other: Path) -> Bool {
        guard one.isAbsolute == other.isAbsolute else { return one.isAbsolute }
        return one.components.lexicographicallyPrecedes(other.components) { $0.lexicographicallyPrecedes($1) }
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
