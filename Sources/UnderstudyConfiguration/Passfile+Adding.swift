/// Lines in a password file that may hold others: text in, text out.
///
/// Source: `passwordFromFile` in `fe-connect.c`. The first line that matches counts.
extension Passfile {
    private static let newline = UInt8(ascii: "\n"), backslash = UInt8(ascii: "\\"), colon = UInt8(ascii: ":")

    /// The file's bytes with these lines where libpq finds them. A line for the same host, port, database and user is
    /// replaced where it is; a new line comes above one with a wildcard that would count before it, or else at the end.
    /// Other lines stay, to the byte.
    ///
    /// - Parameter lines: As ``lines(_:forServer:databases:)`` gives them.
    package static func adding(_ lines: [String], to bytes: [UInt8]) -> [UInt8] {
        var present: [[UInt8]] = []
        var start = 0
        for end in bytes.indices where bytes[end] == newline {
            present.append(Array(bytes[start...end]))
            start = end + 1
        }
        if start < bytes.count { present.append(Array(bytes[start...])) }
        for line in lines { put(content(Array(line.utf8)), into: &present) }
        return Array(present.joined())
    }

    private static func put(_ new: [UInt8], into lines: inout [[UInt8]]) {
        guard let entry = Entry(new) else {
            if !lines.contains(where: { content($0) == new }) { append(new, to: &lines) }
            return
        }
        var first: Int?, same: Int?
        for (index, line) in lines.enumerated() {
            guard let match = entry.match(content(line)) else { continue }
            if first == nil {
                // It is found already.
                if match.password == entry.password { return }
                first = index
            }
            if match.isSame {
                same = index
                break
            }
        }
        guard let first else { return append(new, to: &lines) }
        if let same, same == first {
            // The line end stays.
            lines[same].replaceSubrange(0..<content(lines[same]).count, with: new)
        } else {
            if let same { lines.remove(at: same) }
            lines.insert(new + [newline], at: first)
        }
    }

    private static func append(_ new: [UInt8], to lines: inout [[UInt8]]) {
        if let last = lines.last, last.last != newline { lines[lines.count - 1].append(newline) }
        lines.append(new + [newline])
    }

    /// A line without its end: libpq also strips carriage returns.
    private static func content(_ line: [UInt8]) -> [UInt8] {
        var count = line.count
        while count > 0, line[count - 1] == newline || line[count - 1] == UInt8(ascii: "\r") { count -= 1 }
        return Array(line[..<count])
    }

    /// A line that is to be found.
    private struct Entry {
        /// Host, port, database and user, without escapes.
        var keys: [[UInt8]] = []
        var password: [UInt8]

        init?(_ line: [UInt8]) {
            var index = 0
            while keys.count < 4 {
                let key = Passfile.field(line, &index)
                guard index < line.count else { return nil }
                index += 1
                keys.append(key)
            }
            password = Passfile.field(line, &index)
        }

        /// What libpq finds in a line for these keys; nil for a line that is not for them.
        func match(_ line: [UInt8]) -> (password: [UInt8], isSame: Bool)? {
            if line.first == UInt8(ascii: "#") { return nil }
            var index = 0, isSame = true
            for key in keys {
                if line[index...].starts(with: "*:".utf8) {
                    isSame = isSame && key == [UInt8(ascii: "*")]
                    index += 2
                } else if !Self.skip(key, line, &index) {
                    return nil
                }
            }
            return (Passfile.field(line, &index), isSame)
        }

        /// Goes behind a field that is the key. A colon of the key needs no backslash there.
        private static func skip(_ key: [UInt8], _ line: [UInt8], _ index: inout Int) -> Bool {
            for byte in key {
                if index < line.count, line[index] == Passfile.backslash { index += 1 }
                guard index < line.count, line[index] == byte else { return false }
                index += 1
            }
            guard index < line.count, line[index] == Passfile.colon else { return false }
            index += 1
            return true
        }
    }

    /// A field up to the next colon, or the end, without its escapes.
    private static func field(_ line: [UInt8], _ index: inout Int) -> [UInt8] {
        var field: [UInt8] = []
        while index < line.count, line[index] != colon {
            if line[index] == backslash, index + 1 < line.count { index += 1 }
            field.append(line[index])
            index += 1
        }
        return field
    }
}
