import Glibc
import Testing

@testable import UnderstudyBackup
@testable import UnderstudyCore
@testable import UnderstudyPlatform

@Suite("The refusal of a mark")
struct MarkRefusalTests {
    private static let daemon: UInt32 = 1, root: UInt32 = 0
    private static let path = "/srv/it's", mark = "/srv/it's/pgsql_tmp.understudy"

    private func place(_ user: UInt32, mode: UInt16 = 0o700, mark: UInt32? = nil) -> MarkPlace {
        MarkPlace(
            markUser: mark ?? user, directory: ModeAndOwner(mode: mode, owner: FileOwner(user: user, group: user)))
    }

    private func trust(_ user: UInt32, owner: UInt32? = nil) -> TrustedUsers {
        var trust = TrustedUsers()
        trust.user = user
        trust.owner = owner
        return trust
    }

    private func refusal(_ flaw: MarkFlaw, _ place: MarkPlace, _ trust: TrustedUsers) -> UnderstudyError {
        UnderstudyError(flaw, in: Self.path, what: "directory", place: place, trust: trust)
    }

    static let reasons: [(MarkFlaw, String)] = [
        (.notAFile, "\"\(mark)\" is not a regular file"),
        (.hasOtherNames, "file \"\(mark)\" has further names (hard links)"),
        (.isTooLarge, "file \"\(mark)\" is larger than any mark"),
        (.cannotBeRead(number: EACCES), "could not read file \"\(mark)\": Permission denied"),
        (
            .isWritable(mode: 0o622),
            "the mode of file \"\(mark)\" is 0622, which lets others than its owner write to it"
        ),
        (.belongs(to: daemon), "file \"\(mark)\" belongs to user \"daemon\", and only marks of user \"nobody\" count"),
        (
            .directoryBelongs(to: 4_000_000_000),
            "the directory belongs to user 4000000000, and marks count in directories of user \"nobody\" alone"
        ),
        (.format("1"), "file \"\(mark)\" has the format of an older version of Understudy"),
        (.format("9"), "file \"\(mark)\" has format \"9\", which this version of Understudy does not know"),
        (.line("remove /etc"), "file \"\(mark)\" has a line that no base backup writes: \"remove /etc\""),
        (.isNotWhole, "file \"\(mark)\" was begun before anything lay beside it, so what does is not of its run"),
        (.isOfAnotherDirectory, "file \"\(mark)\" was made for another directory, of which this may be a copy"),
        (
            .dataDirectory("/d"),
            "what became of its run is told by data directory \"/d\" alone, which cannot be looked at or relied on"
        ),
    ]

    @Test("says what is wrong, and with what", arguments: reasons)
    func reason(_ flaw: MarkFlaw, _ text: String) {
        let error = refusal(flaw, place(65534), trust(65534))
        #expect(
            error.message
                == "directory \"\(Self.path)\" is not empty, and the mark of a base backup in it cannot be relied on: \(text)"
        )
        #expect(error.detail == "Nothing is removed on its word.")
    }

    @Test("says whose marks count, and where")
    func trusted() {
        let own = refusal(.directoryBelongs(to: 1), place(1, mark: 0), trust(0, owner: 65534)).message
        #expect(
            own.hasSuffix(
                "user \"daemon\", and marks count in directories of user \"root\" or, as the given owner, \"nobody\" alone"
            ))
        let theirs = refusal(.directoryBelongs(to: 0), place(0, mark: 1), trust(0, owner: 1)).message
        #expect(
            theirs.hasSuffix(
                "user \"root\", and the mark, which is another user's, counts in directories of that user alone"))
    }

    private static let quoted = #"'/srv/it'\''s'"#

    @Test(
        "has a directory removed only where nobody else can have put anything there, and a run has", arguments: reasons)
    func removal(_ flaw: MarkFlaw, _: String) throws {
        let isOfARun = if case .format = flaw { true } else { false }
        for (place, trust, isOurs) in [
            (place(1), trust(1), true), (place(1, mode: 0o750), trust(0, owner: 1), true), (place(0), trust(0), true),
            (place(1, mode: 0o1777), trust(1), false), (place(0, mode: 0o1777), trust(0), false),
            (place(1, mode: 0o770), trust(0, owner: 1), false), (place(1), trust(0), false),
            (place(0), trust(1), false),
            (MarkPlace(markUser: nil, directory: nil), trust(1), false),
        ] {
            let hint = try #require(refusal(flaw, place, trust).hint)
            #expect(hint.contains("Name another directory"))
            #expect(hint.contains("(ls -la \(Self.quoted))") == isOurs, "\(hint)")
            #expect(hint.hasSuffix("remove it: rm -rf \(Self.quoted)") == (isOurs && isOfARun), "\(hint)")
            #expect(hint.contains("rm -rf") == (isOurs && isOfARun), "\(hint)")
        }
    }

    @Test("names the owner that helps, and never root")
    func owner() {
        func names(_ flaw: MarkFlaw, _ place: MarkPlace, _ trust: TrustedUsers) -> Bool {
            let steps = refusal(flaw, place, trust).remedy?.steps
            #expect(steps?.contains(.forceClean(owner: "root")) == false)
            return steps == [.forceClean(owner: "daemon")]
        }
        // Theirs, in a directory of theirs, and root's in one that it gave away.
        #expect(names(.belongs(to: 1), place(1), trust(0)))
        #expect(names(.directoryBelongs(to: 1), place(1, mark: 0), trust(0)))
        // Nothing would be removed there, whoever is named.
        #expect(!names(.belongs(to: 1), place(0, mode: 0o1777, mark: 1), trust(0)))
        #expect(!names(.directoryBelongs(to: 0), place(0, mark: 1), trust(0, owner: 1)))
        #expect(!names(.directoryBelongs(to: 1), place(1, mark: 65534), trust(0, owner: 65534)))
        #expect(!names(.belongs(to: 0), place(0), trust(0, owner: 1)))
        // Only root can name one.
        #expect(!names(.belongs(to: 1), place(1), trust(65534)))
        #expect(
            refusal(.belongs(to: 1), place(1), trust(65534)).hint?.hasPrefix(
                "If user \"daemon\" took that base backup, let that user remove it.") == true)
    }

    @Test("says how to find a slot that the mark may name")
    func slot() {
        let words = #"(grep '^slot ' '/srv/it'\''s/pgsql_tmp.understudy' names it)"#
        for (flaw, namesSlot) in [
            (.format("1"), true), (.isWritable(mode: 0o602), true), (.line("x"), true), (.notAFile, false),
            (.isNotWhole, false),
        ] as [(MarkFlaw, Bool)] {
            #expect(refusal(flaw, place(1), trust(1)).hint?.contains(words) == namesSlot)
        }
    }
}
