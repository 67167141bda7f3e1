/// The parts of an archive that are not content: headers and what fills blocks up, byte for byte as servers write them.
///
/// Source: PostgreSQL's tar.c; POSIX.1-2017, pax, "ustar Interchange Format".
package enum TarWriter {
    /// Two blocks of zeros, with which an archive ends.
    package static let trailer = [UInt8](repeating: 0, count: 2 * TarHeader.size)

    /// How many zeros follow a content of this size.
    package static func padding(after size: UInt64) -> Int {
        let excess = Int(size % UInt64(TarHeader.size))
        return excess == 0 ? 0 : TarHeader.size - excess
    }

    /// The header of a member: 512 bytes.
    ///
    /// - Throws: ``BackupFormatError`` with code `.memberTooLong` if the path or the target of a link is too long.
    package static func header(of entry: TarEntry) throws(BackupFormatError) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: TarHeader.size)
        var path = entry.path.bytes
        if entry.kind == .directory { path.append(UInt8(ascii: "/")) }
        let (prefix, name) = try split(path, of: entry)
        header.put(name, at: TarHeader.name)
        header.put(prefix, at: TarHeader.prefix)
        header.put(number: UInt64(entry.mode), at: TarHeader.mode)
        header.put(number: UInt64(entry.user), at: TarHeader.user)
        header.put(number: UInt64(entry.group), at: TarHeader.group)
        header.put(number: entry.size, at: TarHeader.length)
        header.put(number: UInt64(max(0, entry.modificationTime)), at: TarHeader.modified)
        switch entry.kind {
        case .file: header[TarHeader.type] = UInt8(ascii: "0")
        case .directory: header[TarHeader.type] = UInt8(ascii: "5")
        case .symbolicLink(let target):
            guard target.count < TarHeader.linkName.count else { throw tooLong("link target", of: entry) }
            header[TarHeader.type] = UInt8(ascii: "2")
            header.put(target, at: TarHeader.linkName)
        }
        header.put(TarHeader.magicBytes, at: TarHeader.magic)
        header.put(Array("postgres".utf8), at: TarHeader.userName)
        header.put(Array("postgres".utf8), at: TarHeader.groupName)
        header.put(number: 0, at: TarHeader.deviceMajor)
        header.put(number: 0, at: TarHeader.deviceMinor)
        header.put(number: TarHeader.sum(header.rawSpan), at: TarHeader.checksum)
        return header
    }

    /// A name of 100 bytes and more is split at a slash, if it has one in the right place.
    private static func split(
        _ path: [UInt8], of entry: TarEntry
    ) throws(BackupFormatError) -> (prefix: [UInt8], name: [UInt8]) {
        // One byte stays zero: servers, and so their readers, end both fields with one.
        if path.count < TarHeader.name.count { return ([], path) }
        let slash = path.indices.dropLast().first { index in
            path[index] == UInt8(ascii: "/") && path.count - index - 1 < TarHeader.name.count
        }
        guard let slash, slash < TarHeader.prefix.count, slash > 0 else { throw tooLong("name", of: entry) }
        return (Array(path[..<slash]), Array(path[(slash + 1)...]))
    }

    private static func tooLong(_ what: String, of entry: TarEntry) -> BackupFormatError {
        BackupFormatError(
            .memberTooLong, "the \(what) of archive member \"\(entry.path)\" is too long for the tar format",
            detail: "A name has at most 99 bytes, and the directories before it 154; the target of a link has 99.")
    }
}

extension [UInt8] {
    fileprivate mutating func put(_ bytes: [UInt8], at field: Range<Int>) {
        replaceSubrange(field.lowerBound..<field.lowerBound + bytes.count, with: bytes)
    }

    /// Octal digits and a space; in base 256 what has too many.
    fileprivate mutating func put(number: UInt64, at field: Range<Int>) {
        let digits = field.count - 1
        var rest = number
        guard digits * 3 < 64, number >> UInt64(digits * 3) == 0 else {
            for index in field.dropFirst().reversed() {
                self[index] = UInt8(truncatingIfNeeded: rest)
                rest >>= 8
            }
            self[field.lowerBound] = 0x80
            return
        }
        self[field.upperBound - 1] = UInt8(ascii: " ")
        for index in field.dropLast().reversed() {
            self[index] = UInt8(ascii: "0") + UInt8(rest & 7)
            rest >>= 3
        }
    }
}
