import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform

extension UnderstudyError {
    init(_ directory: UnfinishedDirectory, what: String, trust: TrustedUsers) {
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
                hint:
                    "It is not removed, as that server may have written what is nowhere else. Name another directory, or look at what this one holds and remove yourself what nobody needs."
            )
        case .complete:
            self.init(
                .target, "\(what) \"\(directory.path)\" holds a complete base backup\(record.origin)",
                detail: "Its process was killed when it had nothing left to do but to remove its marks.",
                remedy:
                    "Use it as it is: \(.forceClean) takes away the marks, and nothing else. Or name another directory."
            )
        case .abandoned:
            let others = directory.others(trust: trust).map { "\"\($0)\"" }
            var traces: [String] = []
            if !others.isEmpty { traces.append("filled \(TruncatedList(others).list)") }
            if let slot = record.slot { traces.append("made replication slot \"\(slot.name)\"") }
            // Only plain base backups note what they copy.
            let goOn: Remedy = record.cluster == nil || record.data != nil ? "" : "Use \(.resume) to go on from there. "
            let lost = record.held == nil ? "" : ", with what the directory held before"
            self.init(
                .target, "\(what) \"\(directory.path)\" holds an unfinished base backup\(record.origin)",
                detail: traces.isEmpty ? nil : "It also \(traces.joined(separator: " and ")).",
                remedy: what == LeftoverPolicy.Place.target.rawValue
                    ? "\(goOn)Use \(.forceClean) to remove all that it left\(lost), or name another directory."
                    : "Use \(.forceClean) to remove what it left there, or name another directory.")
        case .distrusted(let flaw):
            self.init(flaw, in: directory.path, what: what, place: MarkPlace(of: directory.path), trust: trust)
        }
    }
}

extension UnderstudyError {
    /// A directory with contents that another run has marked, perhaps for another data directory.
    init(takenBy directory: UnfinishedDirectory, what: String, trust: TrustedUsers) {
        let record = directory.record
        guard let data = record.data?.path else {
            self.init(directory, what: what, trust: trust)
            return
        }
        let shared =
            "Two data directories cannot share it: if \"\(data)\" leads there as well, remove the link in one of them, and map it to another place there."
        if directory.state == .inUse {
            self.init(
                .target,
                "\(what) \"\(directory.path)\" is being filled by another base backup, of directory \"\(data)\"\(record.origin)",
                hint: "Wait for its end. \(shared)")
        } else {
            self.init(
                .target,
                "\(what) \"\(directory.path)\" has the mark of an interrupted base backup of directory \"\(data)\"\(record.origin)",
                remedy:
                    "Go on with that one first (\(.resumeIn(data))), or give it up (\(.forceClean)). \(shared) If that one is no more: rm \(ShellText.pasted("\(directory.path)/\(UnfinishedMark.name)"))"
            )
        }
    }
}
