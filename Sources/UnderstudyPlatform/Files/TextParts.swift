/// Paths that are text, taken apart as file systems do: at each byte that is a slash. As `Character`s a slash and a combining
/// character behind it are one, which is no slash.
extension StringProtocol where SubSequence == Substring {
    package var isAbsolutePath: Bool { utf8.first == UInt8(ascii: "/") }

    /// What stands between the slashes, empty ones left out.
    package var pathComponents: [Substring] {
        Substring(self).utf8.split(separator: UInt8(ascii: "/")).map(Substring.init)
    }

    /// What stands behind the last slash, slashes at the end left out; of the root directory, all.
    package var lastPathComponent: String {
        String(pathComponents.last ?? Substring(self))
    }

    /// The path of the directory in which the last component stands: `.` for a name alone.
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
    /// What stands between the line ends, each of them one byte, empty lines left out. As `Character`s a carriage return and a
    /// line end are one, which is no line end.
    package var lines: [Substring] {
        Substring(self).utf8.split(separator: UInt8(ascii: "\n")).map(Substring.init)
    }
}
