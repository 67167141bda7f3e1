/// A path relative to a directory: bytes in an unknown encoding, as in file systems.
package struct RelativePath: Hashable, Sendable {
    /// NUL-terminated, with no other NUL.
    package let cString: [CChar]

    /// - Parameter bytes: Used up to the first NUL, if there is one.
    package init(bytes: some Sequence<UInt8>) {
        cString = bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
    }

    package init(_ string: String) {
        self.init(bytes: string.utf8)
    }

    package var bytes: [UInt8] {
        cString.dropLast().map { UInt8(bitPattern: $0) }
    }

    /// The path's parent directory, nil if that is the base directory, and its last component.
    var parentAndName: (parent: RelativePath?, name: RelativePath) {
        let slash = CChar(bitPattern: UInt8(ascii: "/"))
        guard let index = cString.lastIndex(of: slash) else { return (nil, self) }
        return (RelativePath(cString: cString[..<index] + [0]), RelativePath(cString: cString[(index + 1)...]))
    }

    /// The components, including empty ones.
    var components: [RelativePath] {
        let slash = CChar(bitPattern: UInt8(ascii: "/"))
        return cString.dropLast().split(separator: slash, omittingEmptySubsequences: false)
            .map { RelativePath(cString: $0 + [0]) }
    }

    private init(cString: ArraySlice<CChar>) {
        self.cString = Array(cString)
    }
}

extension RelativePath: CustomStringConvertible {
    /// The path for messages; bytes that are not UTF-8 are shown as replacement characters.
    package var description: String {
        String(decoding: bytes, as: UTF8.self)
    }
}

extension RelativePath: ExpressibleByStringInterpolation {
    package init(stringLiteral value: String) {
        self.init(value)
    }
}
