import UnderstudyWAL

/// Parses the 512-byte header before each member of an archive.
///
/// Servers write only POSIX ustar headers, with sizes of 8 GB and more in base 256. Everything else is refused, since
/// its meaning is uncertain.
///
/// Source: POSIX.1-2017, pax, "ustar Interchange Format".
package enum TarHeader {
    package static let size = 512

    static let name = 0..<100
    static let mode = 100..<108
    static let user = 108..<116
    static let group = 116..<124
    static let length = 124..<136
    static let modified = 136..<148
    static let checksum = 148..<156
    static let type = 156
    static let linkName = 157..<257
    /// The magic number and the version.
    static let magic = 257..<265
    static let userName = 265..<297
    static let groupName = 297..<329
    static let deviceMajor = 329..<337
    static let deviceMinor = 337..<345
    static let prefix = 345..<500

    static let magicBytes = Array("ustar\0".utf8) + Array("00".utf8)

    /// - Parameters:
    ///   - header: 512 bytes that are not all zero.
    ///   - offset: The header's offset in the archive, for error messages.
    static func decode(_ header: RawSpan, at offset: UInt64) throws(BackupFormatError) -> TarEntry {
        try verifyChecksum(header, at: offset)
        guard header.extracting(magic).array == magicBytes else {
            throw damaged(at: offset, "It is not a POSIX ustar header.")
        }
        let (path, hasTrailingSlash) = try self.path(header, at: offset)
        let size = try number(header.extracting(length), "size", at: offset)
        let mode = try number(header.extracting(mode), "mode", at: offset)
        let modified = try number(header.extracting(modified), "modification time", at: offset)

        let kind: TarEntry.Kind
        switch header.byte(at: type) {
        case 0, UInt8(ascii: "0"):
            guard !hasTrailingSlash else {
                throw damaged(at: offset, "The name of file \"\(path)\" ends with a slash.")
            }
            kind = .file
        case UInt8(ascii: "5"):
            kind = .directory
        case UInt8(ascii: "2"):
            let target = try text(header.extracting(linkName), "link target", at: offset)
            guard !target.isEmpty else {
                throw damaged(at: offset, "The symbolic link \"\(path)\" has no target.")
            }
            kind = .symbolicLink(target: target)
        case let other:
            throw BackupFormatError(
                .unsupportedMember, "archive member \"\(path)\" is \(described(type: other))",
                detail: "A server sends only files, directories and symbolic links.")
        }
        guard kind == .file || size == 0 else {
            throw damaged(at: offset, "\"\(path)\" is not a file, and yet has a size of \(size) bytes.")
        }
        return TarEntry(
            path: path, kind: kind, mode: UInt16(truncatingIfNeeded: mode & 0o7777), size: size,
            modificationTime: Int64(modified), user: owner(header.extracting(user), at: offset),
            group: owner(header.extracting(group), at: offset))
    }

    private static func path(_ header: RawSpan, at offset: UInt64) throws(BackupFormatError) -> (MemberPath, Bool) {
        var bytes = try text(header.extracting(name), "name", at: offset)
        let directory = try text(header.extracting(prefix), "name prefix", at: offset)
        if !directory.isEmpty {
            bytes = directory + [UInt8(ascii: "/")] + bytes
        }
        do {
            return (try MemberPath(bytes), bytes.last == UInt8(ascii: "/"))
        } catch {
            throw BackupFormatError(
                .unsafePath, "archive member at byte \(offset) has an invalid path",
                detail: "The path \"\(MemberPath.escaped(bytes))\" \(error.rawValue).")
        }
    }

    private static func verifyChecksum(_ header: RawSpan, at offset: UInt64) throws(BackupFormatError) {
        let expected = try number(header.extracting(checksum), "checksum", at: offset)
        let sum = sum(header)
        guard sum == expected else {
            throw damaged(at: offset, "Its checksum is \(sum), and should be \(expected).")
        }
    }

    /// The checksum of a header: the sum of its bytes, with spaces in place of the checksum.
    static func sum(_ header: RawSpan) -> UInt64 {
        var sum = UInt64(checksum.count) * UInt64(UInt8(ascii: " "))
        for index in 0..<checksum.lowerBound { sum += UInt64(header.byte(at: index)) }
        for index in checksum.upperBound..<size { sum += UInt64(header.byte(at: index)) }
        return sum
    }

    /// The number of a user or group. Only archives that are written again need it, so one that cannot be read is 0.
    private static func owner(_ field: RawSpan, at offset: UInt64) -> UInt32 {
        (try? number(field, "owner", at: offset)).flatMap { UInt32(exactly: $0) } ?? 0
    }

    /// A text field up to its first zero byte. Only zero bytes may follow.
    private static func text(_ field: RawSpan, _ what: String, at offset: UInt64) throws(BackupFormatError) -> [UInt8] {
        var end = 0
        while end < field.byteCount, field.byte(at: end) != 0 { end += 1 }
        guard field.extracting(end..<field.byteCount).isZero else {
            throw damaged(at: offset, "There are bytes after the end of the \(what).")
        }
        return field.extracting(0..<end).array
    }

    /// A number field, octal or in base 256. The result fits into an `Int64`.
    private static func number(_ field: RawSpan, _ what: String, at offset: UInt64) throws(BackupFormatError) -> UInt64
    {
        if field.byte(at: 0) & 0x80 != 0 {
            return try base256(field, what, at: offset)
        }
        var index = 0
        while index < field.byteCount, field.byte(at: index) == UInt8(ascii: " ") { index += 1 }
        let start = index
        var value: UInt64 = 0
        while index < field.byteCount, case let digit = field.byte(at: index) &- UInt8(ascii: "0"), digit < 8 {
            value = value << 3 | UInt64(digit)
            index += 1
        }
        let isNumber = index > start
        while index < field.byteCount, [0, UInt8(ascii: " ")].contains(field.byte(at: index)) { index += 1 }
        guard isNumber, index == field.byteCount else {
            throw damaged(at: offset, "Its \(what) is \"\(MemberPath.escaped(field.array))\", which is not a number.")
        }
        return value
    }

    private static func base256(_ field: RawSpan, _ what: String, at offset: UInt64) throws(BackupFormatError) -> UInt64
    {
        var value: UInt64 = 0
        guard field.byte(at: 0) == 0x80 else {
            throw damaged(at: offset, "Its \(what) is negative or absurdly large.")
        }
        for index in 1..<field.byteCount {
            guard value <= UInt64(Int64.max) >> 8 else {
                throw damaged(at: offset, "Its \(what) is absurdly large.")
            }
            value = value << 8 | UInt64(field.byte(at: index))
        }
        return value
    }

    private static func damaged(at offset: UInt64, _ detail: String) -> BackupFormatError {
        BackupFormatError(.malformedArchive, "archive header at byte \(offset) is damaged", detail: detail)
    }

    private static func described(type: UInt8) -> String {
        switch type {
        case UInt8(ascii: "1"): "a hard link"
        case UInt8(ascii: "3"): "a character device"
        case UInt8(ascii: "4"): "a block device"
        case UInt8(ascii: "6"): "a named pipe"
        case UInt8(ascii: "x"), UInt8(ascii: "g"): "a pax extension header"
        case UInt8(ascii: "L"), UInt8(ascii: "K"): "a GNU extension header"
        default: "of unknown type \"\(MemberPath.escaped([type]))\""
        }
    }
}
