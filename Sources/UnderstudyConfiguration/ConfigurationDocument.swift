/// The text of a configuration file. Lines that are not replaced stay as they are, to the byte: comments, other settings,
/// and what is no setting.
package struct ConfigurationDocument: Sendable, Equatable {
    package typealias Setting = StandbyConfiguration.Setting

    private struct Line: Sendable, Equatable {
        /// With the newline; the last line may lack it.
        var bytes: [UInt8]
        /// The name in lower case, and the value without quotes.
        var setting: Setting?
        /// Whether it includes other files.
        var isInclude = false

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            switch ConfigurationLine.read(String(decoding: bytes, as: UTF8.self)).first {
            case .setting(let name, let value): setting = Setting(name, value)
            case .include, .includeDirectory: isInclude = true
            case nil: break
            }
        }

        init(_ setting: Setting) {
            bytes = Array(ConfigurationText.line(setting.name, setting.value).utf8)
            self.setting = Setting(setting.name.lowercased(), setting.value)
        }

        /// The line with another setting; what stands before and behind it stays.
        func replaced(by setting: Setting) -> Line {
            var line = Line(setting)
            let indent = bytes.prefix { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            line.bytes = indent + line.bytes.dropLast() + rest
            return line
        }

        var hasComment: Bool { rest.contains(UInt8(ascii: "#")) }

        /// What stands behind the value: blanks, a comment, the line end.
        private var rest: ArraySlice<UInt8> {
            var isInQuotes = false, isEscaped = false, end = 0
            scan: for (index, byte) in bytes.enumerated() {
                switch byte {
                case _ where isEscaped: isEscaped = false
                case UInt8(ascii: "\\") where isInQuotes: isEscaped = true
                case UInt8(ascii: "'"): isInQuotes.toggle()
                case UInt8(ascii: "#") where !isInQuotes: break scan
                case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
                    if !isInQuotes { continue }
                default: break
                }
                end = index + 1
            }
            return bytes[end...]
        }
    }

    private var lines: [Line] = []
    private static let newline = UInt8(ascii: "\n")

    package init(_ bytes: [UInt8] = []) {
        var start = 0
        for end in bytes.indices where bytes[end] == Self.newline {
            lines.append(Line(Array(bytes[start...end])))
            start = end + 1
        }
        if start < bytes.count { lines.append(Line(Array(bytes[start...]))) }
    }

    package var bytes: [UInt8] { lines.flatMap(\.bytes) }

    /// All settings, in order; includes are not followed.
    package var settings: [Setting] { lines.compactMap(\.setting) }

    /// The value that counts: that of the last line.
    ///
    /// - Parameter name: In lower case.
    package subscript(name: String) -> String? { lines.last { $0.setting?.name == name }?.setting?.value }

    // MARK: - By name

    /// Gives settings their values, one line each. A line whose value is right stays; another one is replaced where it is;
    /// earlier ones of the same name go; a new one is added at the end.
    package mutating func set(_ settings: [Setting]) {
        for setting in settings {
            let name = setting.name.lowercased()
            let places = lines.indices.filter { lines[$0].setting?.name == name }
            if let last = places.last {
                // By bytes: equal strings may have other bytes.
                let isRight = lines[last].setting.map { $0.value.utf8.elementsEqual(setting.value.utf8) } ?? false
                if !isRight { lines[last] = lines[last].replaced(by: setting) }
                for place in places.dropLast().reversed() { lines.remove(at: place) }
            } else {
                append(Line(setting))
            }
        }
    }

    /// What the file itself sets; nil if it does not, or if a file that it includes further below may set it.
    ///
    /// - Parameter name: In lower case.
    package func value(beyondIncludes name: String) -> String? {
        place(beyondIncludes: name).flatMap { lines[$0].setting?.value }
    }

    /// Sets a value in a file that people edit: in the line that counts, or in a new one at the end, where it counts
    /// whatever included files set. Other lines of the name stay.
    ///
    /// - Returns: Whether the file has changed.
    @discardableResult
    package mutating func setWhereItCounts(_ name: String, _ value: String) -> Bool {
        guard let place = place(beyondIncludes: name.lowercased()) else {
            append(Line(Setting(name, value)))
            return true
        }
        guard lines[place].setting?.value.utf8.elementsEqual(value.utf8) != true else { return false }
        lines[place] = lines[place].replaced(by: Setting(name, value))
        return true
    }

    private func place(beyondIncludes name: String) -> Int? {
        guard let place = lines.lastIndex(where: { $0.isInclude || $0.setting?.name == name }) else { return nil }
        return lines[place].isInclude ? nil : place
    }

    /// - Parameter names: In lower case.
    package mutating func remove(_ names: Set<String>) {
        lines.removeAll { line in line.setting.map { names.contains($0.name) } ?? false }
    }

    /// Whether the settings of these names stand in the same order as in `settings`.
    ///
    /// - Parameter names: In lower case.
    package func hasOrder(of settings: [Setting], _ names: [String]) -> Bool {
        self.settings.map(\.name).filter(names.contains)
            == settings.map { $0.name.lowercased() }.filter(names.contains)
    }

    private mutating func append(_ line: Line) {
        if let last = lines.last, last.bytes.last != Self.newline { lines[lines.count - 1].bytes.append(Self.newline) }
        lines.append(line)
    }

    // MARK: - As a block

    /// The lines around what is set in a file that people edit and no server rewrites.
    private static let marks = (
        begin: "# What understudy has set, which its next run replaces:", end: "# The end of what understudy has set."
    )

    /// Gives settings their values in a marked block at the end of the file, where they count, whatever stands before. An
    /// earlier block is moved there, with what it sets besides.
    ///
    /// - Parameters:
    ///   - removed: Names in lower case that the block sets no more.
    ///   - isAlone: Whether lines outside of the block that set the same, or one of these names, go.
    package mutating func setBlock(
        _ settings: [Setting], removing removed: Set<String> = [], isAlone: Bool = false
    ) {
        var block = takeBlock()
        if isAlone {
            let names = settings.map { $0.name.lowercased() }
            // A comment behind a line that goes stays with its setting.
            for name in names where block[name] == nil {
                if let line = lines.last(where: { $0.setting?.name == name }), line.hasComment { block.append(line) }
            }
            remove(removed.union(names))
        }
        block.remove(removed)
        block.set(settings)
        guard !block.lines.isEmpty else { return }
        append(Line(Array("\(Self.marks.begin)\n".utf8)))
        for line in block.lines { append(line) }
        append(Line(Array("\(Self.marks.end)\n".utf8)))
    }

    /// Takes the block out. A mark without the other one is a comment like others.
    private mutating func takeBlock() -> ConfigurationDocument {
        func isMark(_ line: Line, _ mark: String) -> Bool {
            line.bytes.elementsEqual("\(mark)\n".utf8) || line.bytes.elementsEqual(mark.utf8)
        }
        var block = ConfigurationDocument()
        guard let end = lines.lastIndex(where: { isMark($0, Self.marks.end) }),
            let begin = lines[..<end].lastIndex(where: { isMark($0, Self.marks.begin) })
        else { return block }
        block.lines = Array(lines[begin + 1..<end])
        lines.removeSubrange(begin...end)
        return block
    }
}
