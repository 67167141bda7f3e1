import Foundation
import Testing
import UnderstudyTestSupport

@testable import UnderstudyWAL

@Suite struct BackupLabelTests {
    private static let start = "START WAL LOCATION: 0/2000028 (file 000000030000000000000002)\n"

    private func label(_ text: String) throws(BackupLabel.Flaw) -> BackupLabel {
        try BackupLabel(parsing: Array(text.utf8))
    }

    @Test func `it says where a backup begins, and a history file where it ends`() throws {
        let old = try label("\(Self.start)CHECKPOINT LOCATION: 0/2000060\nLABEL: a: b\n")
        #expect(old.start == position(3, 0x2000028) && old.end == nil && old.label == "a: b")
        let new = try label(
            "\(Self.start)STOP WAL LOCATION: 1/3000100 (file 000000030000000100000003)\nSTART TIMELINE: 3\nSTOP TIMELINE: 3\n"
        )
        #expect(new.end == position(3, 0x1_0300_0100) && new.label == nil)
    }

    @Test(arguments: [
        "", "LABEL: x\n", "START WAL LOCATION: 0/2000028\n", "START WAL LOCATION: x (file 000000030000000000000002)\n",
        "START WAL LOCATION: 0/2000028 (file 00000003)\n", "\(start)START TIMELINE: 4\n",
        "\(start)STOP WAL LOCATION: 0/2000000 (file 000000030000000000000002)\n",
        "\(start)STOP WAL LOCATION: nowhere\n",
    ])
    func `what names no position is refused`(text: String) {
        #expect(throws: BackupLabel.Flaw.self) { try label(text) }
    }

    @Test(
        arguments: [
            ("000000010000000000000003.00000028.backup", 0x300028),
            ("000000010000000000000003.000A0028.backup.zst", 0x3A0028),
            ("000000010000000000000003.00100000.backup", nil), ("000000010000000000000003.backup", nil),
            ("000000010000000000000003.00000028.backup.bz2", nil), ("000000010000000000000003.0000002a.backup", nil),
            ("000000010000000000000003", nil), ("000000010000000000001003.00000028.backup", nil),
        ] as [(String, UInt64?)])
    func `names of history files`(name: String, start: UInt64?) {
        let found = BackupHistoryName(name, size: ArchiveFiles.size)
        #expect(found?.start == start.map { position(1, $0) })
        #expect(found == nil || found?.fileName == name)
    }

    @Test(arguments: Recording.versions)
    func `a control file has the checkpoint that its backup began with`(version: String) throws {
        let backup = try #require(try Recording(version).meta.backups["20-base-backup"])
        let bytes = try FileTree.bytes(Recording.fixtures.appending(path: "pg_control/\(version).bin").path)
        let checkpoint = try ControlFile.checkpoint(parsing: bytes)
        #expect(checkpoint.lsn == LSN(backup.start_lsn) && checkpoint.timeline.rawValue == backup.start_timeline)
    }
}
