import UnderstudyPlatform

/// The text of a mark: comments, the format number, and one line for each fact: a key, a space, and the value, in which
/// `%` and control characters are `%XX`. Lines are only appended; the last `stage` counts.
extension UnfinishedRecord {
    /// Format 1 had no number, and did not record its own directory. Format 2 did not know of directories that were not
    /// empty; all of its lines mean the same.
    static let format = "3"
    private static let formats = ["2", "3"]
    private static let comments = """
        # The base backup in this directory is not finished, or the process that took it was killed.
        # Take it again with the option resume to go on from what is there, or with the option force-clean to remove
        # first whatever that process has left.

        """

    package enum Flaw: Error, Equatable, Sendable {
        /// The format is not known; "1" for a mark without a format number.
        case format(String)
        /// A line has an unknown key, or a value that no run writes.
        case line(String)
    }

    package var text: String {
        var text = Self.comments + Self.line("format", Self.format) + Self.line("run", run)
        if let process { text += Self.line("process", String(process)) }
        if let begun { text += Self.line("begun", begun) }
        if let boot { text += Self.line("boot", boot) }
        if let directory { text += Self.line("directory", "\(directory.device) \(directory.inode)") }
        for directory in made { text += Self.line("made", directory) }
        if let before {
            text += Self.line(
                "before", "\(String(before.mode, radix: 8)) \(before.owner.user) \(before.owner.group)")
        }
        if let data { text += Self.line("data", data) }
        for path in others { text += Self.otherLine(path) }
        if let slot { text += Self.slotLine(slot) }
        if let cluster { text += Self.line("cluster", "\(cluster.systemIdentifier) \(cluster.major)") }
        if let held { text += Self.line("held", held.rawValue) }
        if let kept { text += Self.keptLine(kept) }
        return text + Self.stageLine(stage)
    }

    static func otherLine(_ path: String) -> String { line("other", path) }

    static func slotLine(_ slot: Slot) -> String {
        line("slot", "\(slot.systemIdentifier) \(slot.position.map { String($0, radix: 16) } ?? "-") \(slot.name)")
    }

    static func keptLine(_ time: String) -> String { line("kept", time) }

    static func stageLine(_ stage: Stage) -> String { line("stage", stage.rawValue) }

    private static func line(_ key: String, _ noted: RecordedDirectory) -> String {
        line(key, "\(noted.identity.device) \(noted.identity.inode) \(noted.path)")
    }

    private static func line(_ key: String, _ value: String) -> String {
        var bytes = Array("\(key) ".utf8)
        for byte in value.utf8 {
            if byte == UInt8(ascii: "%") || byte < 0x20 || byte == 0x7F {
                bytes += Array(("%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)).utf8)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self) + "\n"
    }

    // MARK: - Reading

    /// Reads a mark.
    ///
    /// A killed process may leave an empty mark or an incomplete last line. Both mean that nothing more had happened:
    /// text after the last line end is ignored, and a mark without a `stage` is at ``Stage/made``. Anything else that
    /// no run writes is a flaw.
    package init(reading text: String) throws(Flaw) {
        self.init(run: "")
        var hasFormat = false
        for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            let words = line.split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
            let key = String(decoding: words[0], as: UTF8.self)
            guard words.count == 2, let value = Self.unescaped(words[1]) else { throw .line(Self.shown(line)) }
            if !hasFormat {
                guard key == "format" else { throw .format("1") }
                guard Self.formats.contains(value) else { throw .format(Self.shown(words[1])) }
                hasFormat = true
            } else if !take(key, value) {
                throw .line(Self.shown(line))
            }
        }
    }

    /// - Returns: False if no run writes this line.
    private mutating func take(_ key: String, _ value: String) -> Bool {
        switch key {
        case "run" where run.isEmpty && !value.isEmpty && value.utf8.allSatisfy(\.isHexadecimal): run = value
        case "process" where process == nil:
            guard let number = Int(value), number > 0 else { return false }
            process = number
        case "begun" where begun == nil && value.utf8.count <= 40: begun = value
        case "boot" where boot == nil && value.utf8.count <= 64: boot = value
        case "directory" where directory == nil:
            guard let noted = Self.noted(value + " /x") else { return false }
            directory = noted.identity
        case "made":
            // Each lies in the one before it.
            guard let noted = Self.noted(value), made.last.map({ noted.path.isBeneath($0.path) }) ?? true else {
                return false
            }
            made.append(noted)
        case "before" where before == nil:
            let words = value.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 3, let mode = UInt16(words[0], radix: 8), mode <= 0o7777,
                let user = UInt32(words[1]), let group = UInt32(words[2])
            else { return false }
            before = ModeAndOwner(mode: mode, owner: FileOwner(user: user, group: group))
        case "data" where data == nil:
            guard let noted = Self.noted(value) else { return false }
            data = noted
        case "other":
            guard value.isPlainPath else { return false }
            others.append(value)
        case "slot" where slot == nil:
            guard let read = Slot(reading: value) else { return false }
            slot = read
        case "cluster" where cluster == nil:
            guard let read = Cluster(reading: value) else { return false }
            cluster = read
        case "held" where held == nil:
            guard let read = Held(rawValue: value) else { return false }
            held = read
        case "kept" where value.utf8.count <= 40: kept = value
        case "stage":
            guard let stage = Stage(rawValue: value) else { return false }
            self.stage = stage
        default: return false
        }
        return true
    }

    private static func noted(_ value: String) -> RecordedDirectory? {
        let words = value.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count == 3, let device = UInt64(words[0]), let inode = UInt64(words[1]) else { return nil }
        let path = String(words[2])
        guard path.isPlainPath else { return nil }
        return RecordedDirectory(path: path, identity: FileIdentity(device: device, inode: inode))
    }

    private static func unescaped(_ text: Substring.UTF8View.SubSequence) -> String? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.count >= 2, rest.prefix(2).allSatisfy(\.isHexadecimal),
                    let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), value != 0
                else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else if byte < 0x20 || byte == 0x7F {
                return nil
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// For messages: short, and only printable ASCII.
    private static func shown(_ line: Substring.UTF8View.SubSequence) -> String {
        String(decoding: line.prefix(60).map { $0 < 0x20 || $0 >= 0x7F ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
    }
}

extension UnfinishedRecord.Slot {
    fileprivate init?(reading value: String) {
        let words = value.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, UInt64(words[0]) != nil, (1...63).contains(words[2].utf8.count),
            words[2].utf8.allSatisfy({ $0.isLowerLetterOrDigit || $0 == UInt8(ascii: "_") })
        else { return nil }
        self.init(name: String(words[2]), systemIdentifier: String(words[0]))
        guard words[1] != "-" else { return }
        guard words[1].utf8.allSatisfy(\.isHexadecimal), let position = UInt64(words[1], radix: 16) else { return nil }
        self.position = position
    }
}

extension UnfinishedRecord.Cluster {
    fileprivate init?(reading value: String) {
        let words = value.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.count == 2, UInt64(words[0]) != nil, (1...8).contains(words[1].utf8.count),
            words[1].utf8.allSatisfy({ $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            )
        else { return nil }
        self.init(systemIdentifier: words[0], major: words[1])
    }
}

extension String {
    /// An absolute path of at most 4096 bytes, not the root directory.
    fileprivate var isPlainPath: Bool {
        isAbsolutePath && utf8.count <= 4096 && utf8.contains { $0 != UInt8(ascii: "/") }
    }

    fileprivate func isBeneath(_ parent: String) -> Bool {
        let own = pathComponents, other = parent.pathComponents
        return own.count > other.count && zip(own, other).allSatisfy { $0.utf8.elementsEqual($1.utf8) }
    }
}

extension UInt8 {
    fileprivate var isLowerLetterOrDigit: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
    }

    fileprivate var isHexadecimal: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self) || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(self)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
    }
}
