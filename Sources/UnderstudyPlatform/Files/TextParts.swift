/// Splits paths as file systems do, at each slash byte. As `Character`s, a slash followed by a combining character is
/// not a slash.
extension StringProtocol where SubSequence == Substring {
    package var isAbsolutePath: Bool { utf8.first == UInt8(ascii: "/") }

    /// The components between the slashes, without empty ones.
    package var pathComponents: [Substring] {
        Substring(self).utf8.split(separator: UInt8(ascii: "/")).map(Substring.init)
    }

    /// The last component, ignoring trailing slashes; for the root directory, the whole path.
    package var lastPathComponent: String {
        String(pathComponents.last ?? Substring(self))
    }

    /// The path of the parent directory; `.` for a single name.
    package var parentPath: String {
        let slash = UInt8(ascii: "/")
        var path = Substring(self).utf8
        while path.count > 1 && path.last == slash { path.removeLast() }
        guard let end = path.lastIndex(of: slash) else { return "." }
        let parent = path[..<end]
        return parent.isEmpty ? "/" : String(Substring(parent))
    }
}

extension StringProtocol where SubSequence == Substring {
    /// The nonempty lines, split at each newline byte. As `Character`s, a carriage return and a newline are one
    /// character, which is not a newline.
    package var lines: [Substring] {
        Substring(self).utf8.split(separator: UInt8(ascii: "\n")).map(Substring.init)
    }
}
