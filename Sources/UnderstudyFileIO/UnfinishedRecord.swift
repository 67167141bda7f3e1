import Glibc

/// What the mark in an unfinished directory says: who began to fill it, and how to leave things as they were.
package struct UnfinishedRecord: Sendable, Equatable {
    /// A permanent replication slot, and the system identifier of the server that has it.
    package struct Slot: Sendable, Equatable {
        package var name: String
        package var systemIdentifier: String

        package init(name: String, systemIdentifier: String) {
            self.name = name
            self.systemIdentifier = systemIdentifier
        }
    }

    /// The same in all directories that one run fills, and in those of no other run.
    package var run: String
    /// The number of the process.
    package var process: Int?
    /// When it began: `2026-11-24 08:15:00 UTC`.
    package var begun: String?
    /// The directories that were made, outermost first and the marked one last; empty if that was there.
    package var made: [String] = []
    /// Mode and owner of the directory if it was there.
    package var before: ModeAndOwner?
    /// Further directories that the run fills or was about to.
    package var others: [String] = []
    /// The slot that the run made.
    package var slot: Slot?

    /// The record of a run that begins now, in this process.
    package static func ofNewRun() -> UnfinishedRecord {
        var random = SystemRandomNumberGenerator()
        let run = String(random.next(), radix: 16) + String(random.next(), radix: 16)
        return UnfinishedRecord(run: run, process: Int(getpid()), begun: utcText(time(nil)))
    }

    private static func utcText(_ time: time_t) -> String {
        var seconds = time, fields = unsafe tm()
        // gmtime_r fills the struct.
        unsafe gmtime_r(&seconds, &fields)
        func padded(_ number: CInt) -> String { number < 10 ? "0\(number)" : String(number) }
        let (month, day) = unsafe (fields.tm_mon + 1, fields.tm_mday)
        let (hour, minute, second) = unsafe (fields.tm_hour, fields.tm_min, fields.tm_sec)
        let date = unsafe "\(fields.tm_year + 1900)-\(padded(month))-\(padded(day))"
        return "\(date) \(padded(hour)):\(padded(minute)):\(padded(second)) UTC"
    }
}

// MARK: - As text

extension UnfinishedRecord {
    private static let introduction = """
        # The base backup in this directory is not finished, or the process that took it was killed.
        # Take it again with --force-clean to remove first whatever that process has left.

        """

    /// One line for each fact: a key, a space, and the value, in which `%`, line ends and the like are `%XX`.
    package var text: String {
        var text = Self.introduction + Self.line("run", run)
        if let process { text += Self.line("process", String(process)) }
        if let begun { text += Self.line("begun", begun) }
        for path in made { text += Self.line("made", path) }
        if let before {
            text += Self.line(
                "before", "\(String(before.mode, radix: 8)) \(before.owner.user) \(before.owner.group)")
        }
        for path in others { text += Self.otherLine(path) }
        if let slot { text += Self.slotLine(slot) }
        return text
    }

    static func otherLine(_ path: String) -> String { line("other", path) }

    static func slotLine(_ slot: Slot) -> String { line("slot", "\(slot.systemIdentifier) \(slot.name)") }

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

    /// Reads what can be read: a process that is killed may leave an empty mark or half a line, and both mean that
    /// nothing more had happened.
    package init(reading text: String) {
        self.init(run: "")
        // What follows the last line end is half a line.
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let parts = line.split(separator: " ", maxSplits: 1).map { Self.unescaped($0) }
            guard parts.count == 2 else { continue }
            let words = parts[1].split(separator: " ", maxSplits: 2).map(String.init)
            switch parts[0] {
            case "run": run = parts[1]
            case "process": process = Int(parts[1])
            case "begun": begun = parts[1]
            case "made": made.append(parts[1])
            case "other": others.append(parts[1])
            case "before":
                guard words.count == 3, let mode = UInt16(words[0], radix: 8), let user = UInt32(words[1]),
                    let group = UInt32(words[2])
                else { continue }
                before = ModeAndOwner(mode: mode, owner: FileOwner(user: user, group: group))
            case "slot" where words.count == 2: slot = Slot(name: words[1], systemIdentifier: words[0])
            default: break
            }
        }
    }

    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
