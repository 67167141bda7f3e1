import Testing

@testable import UnderstudyWAL

/// Files in forms that are not read here.
@Suite struct OpaqueFileTests {
    private var files = ArchiveFiles()

    @Test(
        arguments: [
            (file(3, ".xz"), .segment, ".xz"), (file(3, ".zst.gpg"), .segment, ".zst.gpg"),
            (file(3, ".partial.xz"), .partialSegment, ".partial.xz"),
            (file(3, ".xz.partial"), .partialSegment, ".xz.partial"),
            ("00000002.history.xz", .history, ".xz"), ("00000002.history.gz.gpg", .history, ".gz.gpg"),
            ("\(file(3)).00000028.backup.xz", .backupHistory, ".xz"),
        ] as [(String, OpaqueFile.Kind, String)])
    func `a name with an unknown suffix is told apart`(name: String, kind: OpaqueFile.Kind, suffix: String) {
        let found = OpaqueFile(named: name)
        #expect(found?.kind == kind && found?.suffix == suffix && found.map { $0.stem + suffix } == name)
        #expect(found?.isCompanion == false)
    }

    @Test(
        arguments: [
            file(3), file(3, ".gz"), file(3, ".zst.partial"), file(3, ".partial"), file(3, ".missing"), file(3, "."),
            file(3, "xz"), file(3, "~"), "\(file(3)).00000028.backup", "\(file(3)).00000028.backup.gz",
            "00000002.history", "00000002.history.lz4", "00000002.histor.xz", "2.history.xz", "notes.txt.xz", "", ".xz",
        ])
    func `what is read here, or means nothing, is none`(name: String) {
        #expect(OpaqueFile(named: name) == nil)
    }

    @Test func `a checksum beside a file is no form of it`() {
        for name in [file(3, ".sha256"), file(3, ".zst.sig"), "00000002.history.md5"] {
            #expect(OpaqueFile(named: name)?.isCompanion == true)
        }
    }

    // MARK: - In an inventory

    @Test mutating func `segments under unknown suffixes are ranges of their own, and no gap`() throws {
        let names = [
            file(1, ".xz"), file(2, ".xz"), file(3), file(3, ".xz"), file(4, ".zst.gpg"), file(5), file(6, ".xz"),
            file(7), file(9, ".sha256"), file(10),
        ]
        let backups = [
            ArchiveFiles.backup(1, 0x300028, end: 0x300100), ArchiveFiles.backup(1, 0xA00028, end: 0xA00100),
        ]
        let inventory = try files.inventory(names, backups: backups)
        let ranges = try #require(inventory.timelines.first).ranges
        #expect(ranges.map(\.opaqueSuffix) == [".xz", nil, ".zst.gpg", nil, ".xz", nil, nil])
        #expect(ranges.map(\.segments) == [2, 1, 1, 1, 1, 1, 1] && ranges[0].compressions == [:])
        #expect(ranges[0].bytes == 200)
        // The checksum of one is not the segment.
        #expect(inventory.gaps.map(\.range) == [WALGap(start: position(1, 0x800000), end: position(1, 0xA00000))])
        #expect(inventory.stretches.first?.start == position(1, 0x100000))
        #expect(
            inventory.opaque.map(\.file.name) == names.filter { $0.contains(".xz") || $0.contains(".gpg") }.sorted())
        #expect(inventory.others.map(\.name) == [file(9, ".sha256")])
        #expect(inventory.restorable.map(\.to) == [position(1, 0x800000), position(1, 0xB00000)])
        #expect(inventory.restorable.map(\.needsOpaque) == [true, false])
    }

    @Test mutating func `a history under an unknown suffix is named, and its timeline is known`() throws {
        let inventory = try files.inventory([file(1), file(2, timeline: 2), "00000002.history.xz"])
        #expect(inventory.timelines.map(\.id) == [1, 2])
        #expect(inventory.timelines.last?.opaqueHistory == "00000002.history.xz")
        #expect(inventory.timelines.last?.hasHistory == false && inventory.timelines.first?.opaqueHistory == nil)
    }

    // MARK: - In a plan to remove

    private mutating func pruning(_ rules: ArchivePruning.Rules, _ names: [String]) throws -> ArchivePruning {
        try ArchivePruning(try files.inventory(names, backups: rules.backups), rules, now: 0)
    }

    @Test mutating func `nothing goes from the first one on, unless its suffix is named`() throws {
        let names = [
            file(1), file(2, ".xz"), file(2, ".partial.xz"), file(3), file(3, ".sha256"), file(4), file(5, ".xz"),
            "\(file(1)).00000028.backup.xz", "00000002.history.xz",
        ]
        let plan = try pruning(.init(first: file(4)), names)
        #expect(plan.removed.map(\.name) == [file(1)])
        #expect(plan.spared.map { $0.file.name } == [file(2, ".partial.xz"), file(2, ".xz"), file(3)])
        #expect(plan.spared.map(\.reason) == [.partial, .opaque, .opaque])
        #expect(plan.kept == 2 && plan.gaps == [])

        let told = try pruning(.init(first: file(4), suffixes: [".xz", ".sha256"]), names)
        #expect(
            told.removed.map(\.name) == [
                file(1), file(2, ".xz"), file(3), file(3, ".sha256"), "\(file(1)).00000028.backup.xz",
            ])
        #expect(told.spared.map { $0.file.name } == [file(2, ".partial.xz")])
        // The stock tool takes such a name, too.
        #expect(try pruning(.init(first: file(4, ".xz")), names).limit.rawValue == 0x400000)
    }

    @Test mutating func `the newest of either kind stays`() throws {
        let names = [file(1), file(2), file(3, ".xz"), file(4, ".xz"), file(5, ".partial")]
        let plan = try pruning(.init(first: file(5), suffixes: [".xz"]), names)
        #expect(plan.removed.map(\.name) == [file(1), file(3, ".xz")])
        #expect(plan.spared.map { $0.file.name } == [file(2), file(4, ".xz")])
        #expect(plan.spared.allSatisfy { $0.reason == .newest })
        #expect(plan.stillRemovable(beside: [file(2), file(3, ".xz")]).map(\.name) == [file(1)])
    }

    @Test mutating func `links go as links, and those that lead nowhere stay`() throws {
        var found = ArchiveFiles.findings([file(1), file(2), file(4)])
        found.files[0].isLink = true
        found.brokenLinks = [.init(name: file(3), reason: "gone"), .init(name: "00000002.history", reason: "gone")]
        let plan = try ArchivePruning(
            try ArchiveInventory(found, backups: [], reading: &files), .init(first: file(4)), now: 0)
        #expect(plan.removed.map(\.name) == [file(1), file(2)] && plan.links == 1 && plan.bytes == 1 << 20)
        #expect(plan.spared.map { $0.file.name } == [file(3)] && plan.spared.map(\.reason) == [.brokenLink])
    }
}
