import Glibc
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform

/// Messages for untrusted marks. They never advise removing a directory that others can write to, or whose contents are
/// not known to come from a base backup.
extension UnderstudyError {
    init(_ flaw: MarkFlaw, in path: String, what: String, place: MarkPlace, trust: TrustedUsers) {
        let mark = "\(path)/\(UnfinishedMark.name)"
        let cure: Remedy = flaw.remedy(place, trust, mark).map { "\($0) " } ?? ""
        let slot = flaw.slotAdvice(mark).map { "\($0) " } ?? ""
        self.init(
            .target,
            "\(what) \"\(path)\" is not empty, and the mark of a base backup in it cannot be relied on: \(flaw.reason(mark, place, trust))",
            detail: "Nothing is removed on its word.",
            remedy: "\(cure)\(slot)\(flaw.advice(path, place.hands(trust)))")
    }
}

extension MarkFlaw {
    private static func shown(_ user: UInt32) -> String { userName(user).map { "\"\($0)\"" } ?? "\(user)" }

    private static func believed(_ trust: TrustedUsers) -> String {
        "user \(shown(trust.user))" + (trust.owner.map { " or, as the given owner, \(shown($0))" } ?? "")
    }

    fileprivate func reason(_ mark: String, _ place: MarkPlace, _ trust: TrustedUsers) -> String {
        switch self {
        case .notAFile: "\"\(mark)\" is not a regular file"
        case .hasOtherNames: "file \"\(mark)\" has further names (hard links)"
        case .isTooLarge: "file \"\(mark)\" is larger than any mark"
        case .cannotBeRead(let number): "could not read file \"\(mark)\": \(FileIOError.text(of: number))"
        case .isWritable(let mode):
            "the mode of file \"\(mark)\" is \(String(mode, radix: 8).leftPadded), which lets others than its owner write to it"
        case .belongs(let user):
            "file \"\(mark)\" belongs to user \(Self.shown(user)), and only marks of \(Self.believed(trust)) count"
        case .directoryBelongs(let user):
            "the directory belongs to user \(Self.shown(user)), and "
                + (place.markUser.map { $0 != trust.user } ?? false
                    ? "the mark, which is another user's, counts in directories of that user alone"
                    : "marks count in directories of \(Self.believed(trust)) alone")
        case .format("1"): "file \"\(mark)\" has the format of an older version of Understudy"
        case .format(let format):
            "file \"\(mark)\" has format \"\(format)\", which this version of Understudy does not know"
        case .line(let line): "file \"\(mark)\" has a line that no base backup writes: \"\(line)\""
        case .isNotWhole: "file \"\(mark)\" was begun before anything lay beside it, so what does is not of its run"
        case .isOfAnotherDirectory: "file \"\(mark)\" was made for another directory, of which this may be a copy"
        case .dataDirectory(let path):
            "what became of its run is told by data directory \"\(path)\" alone, which cannot be looked at or relied on"
        }
    }

    /// How the leftovers of a base backup can still be removed.
    fileprivate func remedy(_ place: MarkPlace, _ trust: TrustedUsers, _ mark: String) -> Remedy? {
        switch self {
        case .belongs(let user) where trust.user != 0:
            return "If user \(Self.shown(user)) took that base backup, let that user remove it."
        case .belongs(let user):
            // No server's files belong to root, and files in another user's directory would stay there.
            guard user != 0, place.directory?.owner.user == user, let name = userName(user) else { return nil }
            return
                "If user \"\(name)\" took that base backup, let that user remove it, or use \(.forceClean(owner: name))."
        case .directoryBelongs(let user):
            guard trust.user == 0, place.markUser == 0, user != 0, let name = userName(user) else { return nil }
            return
                "If root took that base backup for user \"\(name)\", use \(.forceClean(owner: name))."
        case .cannotBeRead(EACCES), .cannotBeRead(EPERM):
            guard let user = place.markUser, user != trust.user else { return nil }
            return "If user \(Self.shown(user)) took that base backup, let that user remove it."
        case .dataDirectory(let path): return "See what is the matter with that one (ls -la \(ShellText.pasted(path)))."
        default: return nil
        }
    }

    /// Such a mark may name a slot, which would be forgotten with the mark.
    fileprivate func slotAdvice(_ mark: String) -> String? {
        switch self {
        case .format, .line, .isWritable, .hasOtherNames:
            """
            If that base backup made a replication slot (grep '^slot ' \(ShellText.pasted(mark)) names it), drop that on the \
            primary: SELECT pg_drop_replication_slot('NAME');
            """
        default: nil
        }
    }

    fileprivate func advice(_ path: String, _ hands: MarkPlace.Hands) -> String {
        switch hands {
        case .ours:
            let advice = "Name another directory, or look at what this one holds (ls -la \(ShellText.pasted(path)))"
            // Only a mark with this flaw was written by this user's runs, so the directory is a run's.
            if case .format = self {
                return "\(advice) and, if it is of no use, remove it: rm -rf \(ShellText.pasted(path))"
            }
            return "\(advice) and remove yourself what nobody needs."
        case .shared:
            return "Name another directory: others can write to this one, so what lies in it may be theirs."
        case .others(let user):
            return "Name another directory: what lies in this one is in the hands of user \(Self.shown(user))."
        case .unknown: return "Name another directory."
        }
    }
}

extension String {
    /// A mode in the form that chmod(1) takes.
    fileprivate var leftPadded: String { String(repeating: "0", count: max(0, 4 - count)) + self }
}
