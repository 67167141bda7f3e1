/// The path of a file in a backup, relative to the data directory or to a tablespace.
///
/// File names are bytes in an unknown encoding. A leading `./` and trailing slashes are removed. The rest is never
/// empty or absolute, contains no NUL, and has no component that is empty, `.` or `..`. So it can only name something
/// beneath the directory in which it is resolved, unless a symbolic link is followed on the way.
package struct MemberPath: Hashable, Sendable {
    package let bytes: [UInt8]

    /// Why bytes are not a valid path; the raw value follows the words "the path".
    package enum Flaw: String, Error {
        case empty = "is empty"
        case absolute = "is absolute"
        case containsNUL = "contains a zero byte"
        case emptyComponent = "has an empty component"
        case dotComponent = "has a component \".\""
        case parentComponent = "has a component \"..\""
    }

    package init(_ name: [UInt8]) throws(Flaw) {
        let slash = UInt8(ascii: "/")
        let dot = UInt8(ascii: ".")
        guard name.first != slash else { throw .absolute }
        var end = name.count
        while end > 0, name[end - 1] == slash { end -= 1 }
        var start = 0
        while start + 1 < end, name[start] == dot, name[start + 1] == slash { start += 2 }
        guard start < end else { throw .empty }

        var component = start
        var isDots = true
        for index in start...end {
            let byte = index < end ? name[index] : slash
            guard byte != 0 else { throw .containsNUL }
            guard byte == slash else {
                isDots = isDots && byte == dot
                continue
            }
            switch index - component {
            case 0: throw .emptyComponent
            case 1 where isDots: throw .dotComponent
            case 2 where isDots: throw .parentComponent
            default: break
            }
            component = index + 1
            isDots = true
        }
        bytes = start == 0 && end == name.count ? name : Array(name[start..<end])
    }

    package init(_ name: String) throws(Flaw) {
        try self.init(Array(name.utf8))
    }

    private init(valid bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The path of `path` inside the directory that `self` names.
    package func appending(_ path: MemberPath) -> MemberPath {
        var joined: [UInt8] = []
        joined.reserveCapacity(bytes.count + 1 + path.bytes.count)
        joined += bytes
        joined.append(UInt8(ascii: "/"))
        joined += path.bytes
        return MemberPath(valid: joined)
    }

    /// Whether this path is inside `directory`, at any depth; false for `directory` itself.
    package func isBeneath(_ directory: StaticString) -> Bool {
        let length = directory.utf8CodeUnitCount
        guard bytes.count > length, bytes[length] == UInt8(ascii: "/") else { return false }
        return directory.withUTF8Buffer { name in
            // The buffer is a constant of the program, and is read only while the closure runs.
            unsafe bytes.starts(with: name)
        }
    }

    /// The exact path as text; nil if it is not valid UTF-8.
    package var string: String? {
        String(validating: bytes, as: UTF8.self)
    }
}

extension MemberPath: CustomStringConvertible {
    /// The path for display: control characters, backslashes, and bytes that are not UTF-8 are escaped.
    package var description: String {
        Self.escaped(bytes)
    }

    /// Formats the bytes of a file name for display.
    package static func escaped(_ bytes: some Collection<UInt8>) -> String {
        let text = String(validating: bytes, as: UTF8.self)
        let scalars = text.map { Array($0.unicodeScalars) } ?? bytes.map { Unicode.Scalar($0) }
        return scalars.map { scalar in
            // If the bytes are not UTF-8, they are shown one by one, and all but ASCII are escaped.
            let isPrintable = scalar.properties.generalCategory != .control && (text != nil || scalar.isASCII)
            if scalar == "\\" { return "\\\\" }
            if isPrintable { return String(scalar) }
            return text == nil ? escape(UInt8(scalar.value)) : scalar.utf8.map(escape).joined()
        }.joined()
    }

    private static func escape(_ byte: UInt8) -> String {
        byte < 16 ? "\\x0\(String(byte, radix: 16))" : "\\x\(String(byte, radix: 16))"
    }
}
