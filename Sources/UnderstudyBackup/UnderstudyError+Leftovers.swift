import UnderstudyFileIO
import UnderstudySource

extension UnderstudyError {
    init(_ directory: UnfinishedDirectory, what: String, trust: MarkTrust) {
        let record = directory.record
        switch directory.state {
        case .inUse:
            self.init(
                .target, "\(what) \"\(directory.path)\" is being filled by another base backup\(record.origin)",
                hint: "Wait for its end, or name another directory.")
        case .served:
            self.init(
                .target,
                "\(what) \"\(directory.path)\" holds a base backup that was not finished, and a server has been started in it since",
                hint: "Look at what it holds: nothing but you removes it. Or name another directory.")
        case .complete:
            self.init(
                .target, "\(what) \"\(directory.path)\" holds a complete base backup\(record.origin)",
                detail: "Its process was killed when it had nothing left to do but to remove its marks.",
                hint:
                    "Use it as it is: --force-clean takes away the marks, and nothing else. Or name another directory.")
        case .abandoned:
            let others = directory.others(trust: trust).map { "\"\($0)\"" }
            var traces: [String] = []
            if !others.isEmpty { traces.append("filled \(SomeOfMany(others).list)") }
            if let slot = record.slot { traces.append("made replication slot \"\(slot.name)\"") }
            self.init(
                .target, "\(what) \"\(directory.path)\" holds an unfinished base backup\(record.origin)",
                detail: traces.isEmpty ? nil : "It also \(traces.joined(separator: " and ")).",
                hint: "Use --force-clean to remove all that it left, or name another directory.")
        case .distrusted(let flaw):
            self.init(
                .target,
                "\(what) \"\(directory.path)\" holds the mark of an unfinished base backup, which cannot be relied on: \(flaw.reason)",
                hint:
                    "\(flaw.advice(trust))Look at what the directory holds: if it is of no use, remove it with: rm -rf \(directory.path.shellQuoted). Or name another directory."
            )
        }
    }
}

extension MarkFlaw {
    private static func shown(_ user: UInt32) -> String { userName(user).map { "\"\($0)\"" } ?? "\(user)" }

    fileprivate var reason: String {
        switch self {
        case .notAFile: "\"\(UnfinishedMark.name)\" is not a regular file"
        case .hasOtherNames: "\"\(UnfinishedMark.name)\" has further names (hard links)"
        case .isTooLarge: "\"\(UnfinishedMark.name)\" is too large"
        case .cannotBeRead(let number):
            "could not read \"\(UnfinishedMark.name)\": \(FileIOError.text(of: number))"
        case .belongs(let user): "it belongs to user \(Self.shown(user))"
        case .directoryBelongs(let user): "the directory belongs to user \(Self.shown(user))"
        case .format("1"): "its format is that of an older version of Understudy"
        case .format(let format): "this version of Understudy does not know its format \"\(format)\""
        case .line(let line): "no base backup writes into it \"\(line)\""
        case .isNotWhole: "it was only begun, but other files lie beside it"
        case .isOfAnotherDirectory: "it was made for another directory, of which this one is a copy"
        case .dataDirectory(let path): "what became of the data directory \"\(path)\" of its run cannot be told"
        }
    }

    /// What to do, before the advice that is always given.
    fileprivate func advice(_ trust: MarkTrust) -> String {
        switch self {
        case .belongs(let user), .directoryBelongs(let user):
            trust.user == 0
                ? "If the base backup was of that user's, give --owner \(userName(user) ?? "USER") to understudy clone. "
                : "If the base backup was that user's, let that user remove it. "
        case .cannotBeRead: "If the base backup was another user's, let that user remove it. "
        case .format:
            """
            If the base backup made a replication slot, drop that on the primary: \
            SELECT pg_drop_replication_slot('NAME'); (its name is in "\(UnfinishedMark.name)"). 
            """
        default: ""
        }
    }
}

extension String {
    /// As one word for a shell.
    var shellQuoted: String {
        "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
