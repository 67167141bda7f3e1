import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyPlatform

/// Marks that somebody else has put there, or has changed.
@Suite("A mark that cannot be relied on")
struct HostileMarkTests {
    private let base: String
    private let target: String
    private var mark: String { "\(target)/\(UnfinishedMark.name)" }

    init() throws {
        base = try TestDirectory.make("hostile")
        target = "\(base)/target"
    }

    /// A directory that a run of this user has left.
    private func abandon(_ path: String? = nil, owner: FileOwner? = nil, run: UnfinishedRecord = .ofNewRun()) throws {
        let owned = try OwnedDirectory(path ?? target, owner: owner, run: run)
        _ = try owned.directory.createFile("file", mode: 0o600)
    }

    private func state(_ path: String? = nil, _ trust: TrustedUsers = TrustedUsers()) -> UnfinishedDirectory.State? {
        UnfinishedDirectory.find(path ?? target, trust: trust)?.state
    }

    /// Expects that the mark is seen, and that nothing is done on its word.
    private func expectRefused(
        _ flaw: MarkFlaw, _ trust: TrustedUsers = TrustedUsers(), sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let before = FileTree.snapshot(base)
        let found = try #require(
            UnfinishedDirectory.find(target, trust: trust), sourceLocation: sourceLocation)
        #expect(found.state == .distrusted(flaw), sourceLocation: sourceLocation)
        #expect(throws: FileIOError.self, sourceLocation: sourceLocation) { try found.remove(trust: trust) }
        #expect(throws: FileIOError.self, sourceLocation: sourceLocation) { try found.removeMarks(trust: trust) }
        #expect(throws: OwnedDirectory.Refusal.unfinished(found), sourceLocation: sourceLocation) {
            try OwnedDirectory.check(target, trust: trust)
        }
        #expect(FileTree.snapshot(base) == before, sourceLocation: sourceLocation)
    }

    @Test func `is one that is no regular file`() throws {
        try abandon()
        let moved = "\(base)/moved"
        try FileManager.default.moveItem(atPath: mark, toPath: moved)
        try FileManager.default.createSymbolicLink(atPath: mark, withDestinationPath: moved)
        try expectRefused(.notAFile)
        try FileManager.default.removeItem(atPath: mark)
        // Nobody writes into it: to open it would wait for ever.
        try #require(unsafe mkfifo(mark, 0o600) == 0)
        try expectRefused(.notAFile)
        try FileManager.default.removeItem(atPath: mark)
        try TestDirectory.make(at: mark)
        try expectRefused(.notAFile)
    }

    @Test func `is one with further names, or one that others may write`() throws {
        try abandon()
        try FileManager.default.linkItem(atPath: mark, toPath: "\(base)/link")
        try expectRefused(.hasOtherNames)
        try FileManager.default.removeItem(atPath: "\(base)/link")
        try #require(unsafe chmod(mark, 0o622) == 0)
        try expectRefused(.isWritable(mode: 0o622))
    }

    @Test func `is one that is too large, or of another format, or holds what no run writes`() throws {
        try abandon()
        let text = try FileTree.text(mark)
        func write(_ text: String) throws {
            try text.write(toFile: mark, atomically: false, encoding: .utf8)
        }
        try write("run 1\nprocess 1\nbegun now\n")
        try expectRefused(.format("1"))
        try write("format 9\n")
        try expectRefused(.format("9"))
        try write(text + "other /srv/../etc\nremove /etc\n")
        try expectRefused(.line("remove /etc"))
        try write("")
        try expectRefused(.isNotWhole)
        try write(text)
        #expect(state() == .abandoned)
        try #require(unsafe truncate(mark, 5 << 20) == 0)
        try expectRefused(.isTooLarge)
    }

    @Test func `is one that was made for another directory`() throws {
        try abandon("\(base)/other")
        try TestDirectory.make(at: target)
        try TestDirectory.write("precious", to: "\(target)/precious")
        try FileManager.default.moveItem(atPath: "\(base)/other/\(UnfinishedMark.name)", toPath: mark)
        try expectRefused(.isOfAnotherDirectory)
    }

    @Test func `does not lead into a directory that names no data directory, another one, or that holds this one`()
        throws
    {
        let run = UnfinishedRecord.ofNewRun()
        try abandon(base + "/none", run: run)
        do {
            let other = RecordedDirectory(path: "/srv/other", identity: FileIdentity(device: 1, inode: 2))
            let owned = try OwnedDirectory("\(base)/false", run: run, data: other)
            _ = try owned.directory.createFile("precious", mode: 0o600)
        }
        do {
            let owned = try OwnedDirectory("\(base)/above/target", run: run)
            for name in ["none", "false", "above"] { try owned.mark?.addOther("\(base)/\(name)") }
            // What only the owner of all this can do.
            var record = run
            record.directory = try ConfinedDirectory(path: "\(base)/above").identity()
            record.data = owned.closed.noted
            record.stage = .filling
            _ = try UnfinishedMark(in: ConfinedDirectory(path: "\(base)/above"), record, syncs: false)
            try TestDirectory.write("precious", to: "\(base)/above/precious")
        }
        let found = try #require(UnfinishedDirectory.find("\(base)/above/target"))
        #expect(found.state == .abandoned)
        #expect(found.others() == [])
        try found.remove()
        #expect(FileTree.exists("\(base)/none/file"))
        #expect(FileTree.exists("\(base)/false/precious"))
        #expect(FileTree.exists("\(base)/above/precious"))
    }

    // MARK: - Several users

    private static let nobody = FileOwner(user: 65534, group: 65534), daemon = FileOwner(user: 1, group: 1)

    private func give(_ path: String, _ owner: FileOwner) throws {
        try #require(unsafe lchown(path, owner.user, owner.group) == 0)
    }

    @Test(.enabled(if: Account.isRoot, "only root can give files away"))
    func `is one of another user, or in a directory of another user`() throws {
        try abandon()
        try give(mark, Self.nobody)
        try expectRefused(.belongs(to: 65534))
        // Named as the owner, that user may have written anything; this directory is not that user's.
        try expectRefused(.directoryBelongs(to: 0), TrustedUsers(owner: Self.nobody))
        try give(target, Self.nobody)
        try expectRefused(.belongs(to: 65534))
        try expectRefused(.belongs(to: 65534), TrustedUsers(owner: Self.daemon))
        #expect(state(nil, TrustedUsers(owner: Self.nobody)) == .abandoned)
        try give(mark, FileOwner(user: 0, group: 0))
        try expectRefused(.directoryBelongs(to: 65534))
        #expect(state(nil, TrustedUsers(owner: Self.nobody)) == .abandoned)
    }

    @Test(.enabled(if: Account.isRoot, "only root can give files away"))
    func `of the named owner gives no directory away, and removes nothing of others`() throws {
        // A directory of root's that anybody may write into, and one of the user's in it.
        try #require(unsafe chmod(base, 0o1777) == 0)
        try give(base, FileOwner(user: 0, group: 0))
        let run = UnfinishedRecord.ofNewRun()
        for name in ["precious", "theirs"] { try abandon("\(base)/\(name)", run: run) }
        try TestDirectory.make(at: target)
        try give(target, Self.nobody)
        var record = run
        record.directory = try ConfinedDirectory(path: target).identity()
        record.before = ModeAndOwner(mode: 0o4777, owner: Self.daemon)
        record.others = ["\(base)/precious", base]
        record.stage = .filling
        try TestDirectory.write(record.text, to: mark)
        try give(mark, Self.nobody)
        try give("\(base)/theirs", Self.daemon)
        let trust = TrustedUsers(owner: Self.nobody)
        let found = try #require(UnfinishedDirectory.find(target, trust: trust))
        #expect(found.state == .abandoned)
        #expect(found.others(trust: trust) == [])
        try found.remove(trust: trust)
        #expect(FileTree.exists("\(base)/precious/file"))
        #expect(FileTree.snapshot(target) == [". 40777 65534:65534 "])
    }

    @Test(.enabled(if: Account.isRoot, "only root can give files away"))
    func `is not the one that root leaves in a directory of the owner's`() throws {
        try TestDirectory.make(at: target, mode: 0o755)
        try give(target, FileOwner(user: 0, group: 4))
        let before = FileTree.snapshot(base)
        try abandon(owner: Self.nobody)
        #expect(FileTree.snapshot(target).contains { $0.hasPrefix("file ") && $0.contains("65534:65534") })
        #expect(state() == .distrusted(.directoryBelongs(to: 65534)))
        let trust = TrustedUsers(owner: Self.nobody)
        try #require(UnfinishedDirectory.find(target, trust: trust)).remove(trust: trust)
        #expect(FileTree.snapshot(base) == before)
    }
}
