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
