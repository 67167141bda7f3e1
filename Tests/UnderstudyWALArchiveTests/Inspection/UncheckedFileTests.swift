import Foundation
import Testing
import UnderstudyCore
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// Files of an archive that are links, cannot be read, or are in a form that is not read here.
@Suite struct UncheckedFileTests {
    let archive: TestArchive
    private var look: WALArchive { WALArchive(archive.path) }

    init() throws { archive = try TestArchive() }

    private func put(_ range: ClosedRange<UInt64>, _ suffix: String = "") throws {
        for number in range { try archive.putSegment(file(number, suffix)) }
    }

    private func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: "\(archive.path)/\(name)", withDestinationPath: target)
    }

    /// Moves a file elsewhere, and leaves a link.
    private func moveAway(_ name: String, to place: String) throws {
        try FileManager.default.moveItem(atPath: "\(archive.path)/\(name)", toPath: "\(place)/\(name)")
        try link(name, to: "\(place)/\(name)")
    }

    @Test(arguments: ["", ".zst"]) func `links count as what they lead to`(suffix: String) async throws {
        try put(1...4, suffix)
        try archive.put("00000002.history", TestArchive.history([1: 0x550000]))
        let place = try TestDirectory.make("elsewhere")
        for name in [file(1, suffix), file(2, suffix), file(4, suffix), "00000002.history"] {
            try moveAway(name, to: place)
        }
        // Names that mean nothing here.
        try link("notes", to: "/nowhere")
        try link("latest", to: place)
        let check = try await look.check()
        #expect(check.findings == [] && check.gaps == [] && check.files.count == 5, "\(check)")
        let inventory = try await look.inventory()
        #expect(inventory.timelines.map(\.id) == [1, 2] && inventory.brokenLinks == [] && inventory.others == [])
        #expect(inventory.timelines.first?.ranges.map(\.segments) == [4])
        #expect(inventory.files.filter(\.isLink).count == 4)

        // The link goes, and the file stays.
        let plan = try await look.pruning(.init(first: file(4)))
        #expect(plan.removed.count == 3 && plan.links == 2)
        let outcome = try await look.prune(plan)
        #expect(outcome.removed == 3 && outcome.links == 2 && outcome.changed == [])
        #expect(outcome.bytes == plan.bytes && plan.bytes == plan.removed[2].bytes)
        #expect(FileTree.names(place).count == 4 && archive.names.contains(file(4, suffix)))
    }

    @Test func `a damaged file behind a link is found`() async throws {
        try put(1...3)
        try moveAway(file(2), to: try TestDirectory.make("elsewhere"))
        var bytes = [UInt8].wal(of: segment(2))
        bytes[24] ^= 1
        try archive.put(file(2), bytes)
        #expect(try await look.check().findings.map(\.kind) == [.otherWAL])
    }

    @Test func `a link that leads to no file is a finding of its own`() async throws {
        try put(1...4)
        for name in [file(2), file(3)] { try FileManager.default.removeItem(atPath: "\(archive.path)/\(name)") }
        try link(file(2), to: "/nowhere/\(file(2))")
        try link(file(3), to: try TestDirectory.make("elsewhere"))
        try link("\(file(1)).xz", to: file(9))
        let check = try await look.check()
        #expect(check.findings.map(\.file) == [file(1, ".xz"), file(2), file(3)].sorted())
        #expect(check.findings.allSatisfy { $0.kind == .link } && !check.isSound)
        #expect(
            Set(check.findings.map(\.message)) == [
                "is a symbolic link that leads nowhere: No such file or directory",
                "is a symbolic link that leads nowhere: it is no regular file",
            ])
        #expect(check.gaps.count == 1 && check.files.count == 2)
        let inventory = try await look.inventory()
        #expect(inventory.brokenLinks.map(\.name) == check.findings.map(\.file))
        #expect(
            try await look.pruning(.init(first: file(4))).spared.map(\.reason) == [
                .brokenLink, .brokenLink, .brokenLink,
            ])
    }

    /// A file that exists, and fails to be read with EIO, for root too.
    private func linkToUnreadable(_ name: String) throws {
        try? FileManager.default.removeItem(atPath: "\(archive.path)/\(name)")
        try link(name, to: "/proc/self/mem")
    }

    @Test(arguments: ["", ".gz", ".lz4", ".zst"]) func `what cannot be read is a finding, and the others are checked`(
        suffix: String
    ) async throws {
        try put(1...9, suffix)
        var bytes = [UInt8].wal(of: segment(8))
        bytes[24] ^= 1
        try archive.putSegment(file(8, suffix), bytes: bytes)
        // At the end, in the middle, and what stock is taken by.
        let unreadable = [
            file(3, suffix), file(9, suffix), "00000002.history\(suffix)", "\(file(1)).00000028.backup\(suffix)",
            "\(file(7)).missing",
        ]
        for name in unreadable where !suffix.isEmpty || !name.hasPrefix("0000000100000000000000") || name.contains(".")
        {
            try linkToUnreadable(name)
        }
        let check = try await look.check()
        let found = check.findings.filter { $0.kind == .unreadable }
        #expect(found.allSatisfy { $0.message == "could not be read: Input/output error" }, "\(found)")
        #expect(check.findings.filter { $0.kind != .unreadable }.map(\.file) == [file(8, suffix)])
        #expect(Set(found.map(\.file)).isSuperset(of: unreadable.filter { !suffix.isEmpty || $0.contains(".") }))
        #expect(!check.isSound && check.files.count == (suffix.isEmpty ? 9 : 7), "\(check.files.map(\.name))")
        let inventory = try await look.inventory()
        #expect(inventory.unreadable.map(\.name).contains("00000002.history\(suffix)"))
        // What it holds might forbid to remove something.
        let error = await #expect(throws: UnderstudyError.self) { try await look.pruning(.init(first: file(5))) }
        #expect(error?.message.hasSuffix("Input/output error") == true, "\(String(describing: error))")
    }

    @Test func `an archive of which nothing can be read is an error`() async throws {
        try linkToUnreadable(file(1, ".gz"))
        let error = await #expect(throws: UnderstudyError.self) { try await look.check() }
        #expect(error?.message == "could not read file \"\(archive.path)/\(file(1, ".gz"))\": Input/output error")
        #expect(error?.hint == "The disk or the way to it failed: see the kernel's log (dmesg).")
    }

    // MARK: - Forms that are not read here

    @Test func `a form that is not read here is not checked, and that is said`() async throws {
        try put(1...2)
        try archive.put(file(3, ".xz"), [1])
        try archive.put("00000002.history.gpg", [1])
        try archive.put(file(4, ".sha256"), [1])
        try put(4...4)
        let check = try await look.check()
        #expect(check.findings.map(\.file) == [file(3, ".xz"), "00000002.history.gpg"])
        #expect(check.findings.allSatisfy { $0.kind == .opaque } && check.findings.allSatisfy { $0.kind.isUnchecked })
        #expect(check.findings.first?.message == "not checked: .xz is not read here")
        #expect(!check.isSound && check.files.count == 3)
    }

    @Test func `an archive of nothing else is looked at by the backup that is kept`() async throws {
        for number in 1...6 as ClosedRange<UInt64> { try archive.put(file(number, ".xz"), [1, 2]) }
        let place = try TestDirectory.make("backup")
        try TestDirectory.write("START WAL LOCATION: 0/400028 (file \(file(4)))\n", to: "\(place)/backup_label")
        let bare = try await look.inventory()
        #expect(bare.segmentSize == nil && bare.opaque.count == 6)
        #expect(try await look.check().findings.count == 6)
        let backups = try await look.backups(at: place)
        #expect(backups.map(\.segmentSize) == [TestArchive.size])
        let inventory = try await look.inventory(backups: backups)
        #expect(inventory.timelines.first?.ranges.map(\.opaqueSuffix) == [".xz"])
        #expect(inventory.restorable.map(\.to) == [position(1, 0x700000)])

        #expect(try await look.pruning(.init(keeping: backups)).removed == [])
        #expect(
            try await look.pruning(.init(keeping: backups, suffixes: [".xz"])).removed.map(\.name)
                == (1...3).map { file($0, ".xz") })
        // Without a backup, nobody knows what the names mean.
        #expect(try await look.pruning(.init(first: file(4))).spared.count == 6)
        let error = await #expect(throws: UnderstudyError.self) {
            try await look.pruning(.init(first: file(4), suffixes: [".xz"]))
        }
        #expect(error?.message == "the size of the archive's segments is not known")
    }
}
