import Glibc
import Understudy
import UnderstudyPlatform

/// What a run leaves behind if it ends at once, without cleaning up.
enum Remains: Sendable {
    /// An unfinished base backup, and the permanent slot that was requested.
    case copy(String, slot: String?)
    /// A part of an archive on standard output.
    case stream(slot: String?)
    /// The directory for received WAL; nil if none is received.
    case archive(String?)
    /// A primary of which a part may be prepared.
    case preparation

    static func message(_ signal: EndingSignal) -> String { "received \(signal) for the third time, ending at once" }

    func tell(_ signal: EndingSignal, _ console: Console) {
        let message = Self.message(signal)
        switch self {
        case .preparation:
            console.notice(
                message, detail: "Some steps may have been done.", hint: "The next run does those that are left.")
        case .archive(let directory):
            let detail = directory.map { "What was received lies in \"\($0)\" as far as it was written." }
            console.notice(message, detail: detail, hint: directory.map { _ in "The next run goes on from there." })
        case .stream(let slot):
            console.notice(
                message, detail: "What went to standard output is incomplete.", hint: slot.map { Self.slotHint($0) })
        case .copy(let path, let slot):
            guard let left = UnfinishedDirectory.find(absolutePath(path)) else {
                // Without a mark it is unknown whether the slot was created.
                let hint = slot.map { Self.slotHint($0) }
                // The mark is removed when the copy is complete.
                let directory = try? ConfinedDirectory(path: path)
                let isThere = directory.map { $0.exists("PG_VERSION") || $0.exists("base.tar") } ?? false
                let detail =
                    isThere
                    ? "The copy in \"\(path)\" is left; it is complete if this run has made it.\(servers(path))"
                    : "Directory \"\(path)\" has no mark of this run."
                console.notice(message, detail: detail, hint: hint)
                return
            }
            let places = TruncatedList([path] + left.record.others).list
            var detail = "What was written so far is left in \(places)."
            if let made = left.record.slot?.name { detail += " So is replication slot \"\(made)\"." }
            detail += servers(path)
            let goOn = left.record.cluster == nil ? "" : "A run with --resume goes on from it. "
            let lost = left.record.held == nil ? "" : ", with all that was there before"
            console.notice(
                message, detail: detail,
                hint: "\(goOn)A run with --force-clean removes it first\(lost), or name another directory.")
        }
    }

    /// The text about a server that this process has started there, or is about to start.
    private func servers(_ path: String) -> String {
        guard let directory = try? ConfinedDirectory(path: path), let own = RunningProcess(getpid()) else { return "" }
        let programs = RunningProcess.programs(ofServerIn: directory, since: own.began).map { "\($0.number)" }
        if !programs.isEmpty {
            return " Processes of the server that was started there still run: \(TruncatedList(programs).list)."
        }
        return directory.exists("postmaster.pid") ? " A server that was started there may still run." : ""
    }

    /// For a `basebackup` command line.
    static func of(_ plan: BasebackupPlan) -> Remains {
        switch plan.target {
        case .directory(let path), .tarFiles(let path): .copy(path, slot: plan.options.slot)
        case .server: .archive(nil)
        default: .stream(slot: madeName(plan.options.slot))
        }
    }

    static func copy(_ directory: String, slot: ReplicationSlot) -> Remains {
        .copy(directory, slot: madeName(slot))
    }

    /// The slot that the run makes, if it is permanent.
    private static func madeName(_ slot: ReplicationSlot) -> String? {
        switch slot {
        case .none, .temporary, .existing: nil
        case .create(let name), .createIfMissing(let name): name
        }
    }

    /// For a `receivewal` command line.
    static func of(_ action: ReceivewalPlan.Action) -> Remains {
        guard case .receive(let directory) = action else { return .archive(nil) }
        return .archive(directory.path)
    }

    private static func slotHint(_ name: String) -> String {
        "If replication slot \"\(name)\" was made by this run, drop it on the primary: \(SlotSQL.drop(name))"
    }
}
