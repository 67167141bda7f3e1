/// A path beneath a directory: bytes in no known encoding, as file systems have them.
package struct RelativePath: Hashable, Sendable {
    /// With a NUL at the end and none before it.
    package let cString: [CChar]

    /// - Parameter bytes: Up to a NUL, if there is one.
    package init(bytes: some Sequence<UInt8>) {
        cString = bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
    }

    package init(_ string: String) {
        self.init(bytes: string.utf8)
    }

    package var bytes: [UInt8] {
        cString.dropLast().map { UInt8(bitPattern: $0) }
    }

    /// The directory that holds it, nil where that is the directory that it is relative to, and its last component.
    var parentAndName: (parent: RelativePath?, name: RelativePath) {
        let slash = CChar(bitPattern: UInt8(ascii: "/"))
        guard let index = cString.lastIndex(of: slash) else { return (nil, self) }
        return (RelativePath(cString: cString[..<index] + [0]), RelativePath(cString: cString[(index + 1)...]))
    }

    /// Its components, empty ones included.
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
    /// For messages: what is no UTF-8 is shown as replacement characters.
    package var description: String {
        String(decoding: bytes, as: UTF8.self)
    }
}

extension RelativePath: ExpressibleByStringInterpolation {
    package init(stringLiteral value: String) {
        self.init(value)
    }
}
