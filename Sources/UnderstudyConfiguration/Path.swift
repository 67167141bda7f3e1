/// A path as text, without following links: `.`, `..` and doubled slashes are resolved.
///
/// Compares bytes, as file systems do. As `Character`s, a slash followed by a combining character is not a slash, and
/// `é` equals `e` with an accent, though these are two file names.
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

    /// This path and each directory above it, each with the components that lead from there to this path.
    var ancestors: [(directory: Path, rest: ArraySlice<Component>)] {
        (0...components.count).reversed().map { count in
            (Path(isAbsolute: isAbsolute, components: Array(components[..<count])), components[count...])
        }
    }

    /// An order in which everything in a directory directly follows it.
    static func precedes(_ one: Path, _ other: Path) -> Bool {
        guard one.isAbsolute == other.isAbsolute else { return one.isAbsolute }
        return one.components.lexicographicallyPrecedes(other.components) { $0.lexicographicallyPrecedes($1) }
    }

    /// Whether this path equals `directory` or is inside it. A relative path is never inside an absolute one.
    func isInside(_ directory: Path) -> Bool {
        isAbsolute == directory.isAbsolute && components.starts(with: directory.components)
    }

    func overlaps(_ other: Path) -> Bool {
        isInside(other) || other.isInside(self)
    }
}

/// Whether `path` equals `directory` or is inside it, judged by the text: `.`, `..` and doubled slashes are resolved,
/// symbolic links are not.
package func pathIsInside(_ path: String, _ directory: String) -> Bool {
    Path(path).isInside(Path(directory))
}
