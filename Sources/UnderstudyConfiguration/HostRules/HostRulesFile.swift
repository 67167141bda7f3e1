/// The text of a pg_hba.conf, line by line, as a server of a version reads it. Every byte of it is kept.
///
/// Source: PostgreSQL manual, "The pg_hba.conf File"; `tokenize_auth_file`, hba.c.
package struct HostRulesFile: Sendable, Hashable {
    package struct Line: Sendable, Hashable {
        /// With its line end, if it has one. A line that is continued (from 14) has all its parts.
        package fileprivate(set) var bytes: [UInt8]
        /// The number in the file, from 1; that of its first part.
        package fileprivate(set) var number: Int
        package fileprivate(set) var content: Content
    }

    package enum Content: Sendable, Hashable {
        /// Blank, or a comment.
        case nothing
        case rule(HostRule)
        /// Files whose lines replace this one (from 16).
        case include(Include)
        /// The server refuses the file for this line, for this reason.
        case fault(String)
    }

    package struct Include: Sendable, Hashable {
        package enum Kind: String, Sendable {
            case file = "include"
            case fileIfThere = "include_if_exists"
            /// Those in it whose names end in `.conf` and do not begin with a dot.
            case directory = "include_dir"
        }

        package var kind: Kind
        /// Relative to the directory of the file that has the line.
        package var path: String

        package init(_ kind: Kind, _ path: String) {
            self.kind = kind
            self.path = path
        }
    }

    package private(set) var lines: [Line] = []

    /// - Parameter version: The server's, as `server_version_num`.
    package init(_ bytes: [UInt8], version: Int) {
        var rest = bytes[...], number = 1
        while !rest.isEmpty {
            var taken: [UInt8] = [], logical: [UInt8] = [], lastContinuation = 0, parts = 0
            repeat {
                let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.endIndex
                taken += rest[..<end]
                logical += rest[..<end]
                rest = rest[end...]
                parts += 1
                while let last = logical.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") {
                    logical.removeLast()
                }
                // Two backslashes with a line end behind each do not continue twice.
                guard version >= HostRule.firstWithContinuation, logical.count > lastContinuation,
                    logical.last == UInt8(ascii: "\\")
                else { break }
                logical.removeLast()
                lastContinuation = logical.count
            } while !rest.isEmpty
            // The server reads strings that a zero byte ends.
            let text = Array(logical.prefix { $0 != 0 })
            lines.append(Line(bytes: taken, number: number, content: Self.content(text, version)))
            number += parts
        }
    }

    package var bytes: [UInt8] { lines.flatMap(\.bytes) }

    private static func content(_ line: [UInt8], _ version: Int) -> Content {
        let fields = HostTokenizer.fields(line)
        guard !fields.isEmpty else { return .nothing }
        if version >= HostRule.firstWithIncludes, fields.count == 2, fields.allSatisfy({ $0.count == 1 }),
            let kind = Include.Kind(rawValue: fields[0][0].text)
        {
            return .include(Include(kind, fields[1][0].text))
        }
        do throws(HostRule.Fault) { return .rule(try HostRule(fields, version: version)) } catch {
            return .fault(error.message)
        }
    }

    /// Puts a rule into the file.
    ///
    /// - Parameters:
    ///   - rule: Its text, without a line end.
    ///   - index: Of the line that then follows; nil for the end of the file.
    package mutating func insert(_ rule: String, above index: Int?, version: Int) {
        // A file with other line ends keeps them.
        let hasReturns = lines.first { $0.bytes.last == UInt8(ascii: "\n") }?.bytes.suffix(2) == [13, 10]
        let end: [UInt8] = hasReturns ? [13, 10] : [10]
        let place = index ?? lines.count
        var before = lines[..<place].flatMap(\.bytes)
        if let last = before.last, last != UInt8(ascii: "\n") { before += end }
        // A last line that ends in a backslash would continue into the new one.
        if place == lines.count, let last = lines.last, Self.isContinued(last, version) { before += end }
        self = HostRulesFile(
            before + Array(rule.utf8) + end + lines[place...].flatMap(\.bytes), version: version)
    }

    private static func isContinued(_ line: Line, _ version: Int) -> Bool {
        guard version >= HostRule.firstWithContinuation else { return false }
        return line.bytes.last { $0 != 10 && $0 != 13 } == UInt8(ascii: "\\")
    }
}
