import Testing
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyProtocol

@Suite("Replication commands")
struct CommandTests {
    static let versions: [ServerVersion] = [
        90326, 90426, 90524, 90624, 100_023, 110_022, 120_000, 130_018, 140_000, 150_018, 160_014, 170_010, 180_004,
        190_000,
    ].map(ServerVersion.init)

    @Test("a backup in plain format is asked for as in the recordings", arguments: Recording.versions)
    func recorded(_ version: String) throws {
        let recording = try RecordedBackup(version: version)
        var command = BaseBackupCommand(label: "understudy")
        command.fastCheckpoint = true
        command.noWaitForArchive = true
        command.manifestChecksum = "CRC32C"
        // The recorded client left the checksum algorithm to the server, whose choice is the same.
        let text = command.text(for: recording.version)
            .replacing(", MANIFEST_CHECKSUMS 'CRC32C'", with: "").replacing(" MANIFEST_CHECKSUMS 'CRC32C'", with: "")
        #expect(text == recording.query)
    }

    @Test(
        "everything that can be asked for is sent to servers that know it",
        arguments: [
            (90326, "BASE_BACKUP LABEL 'l' PROGRESS FAST WAL NOWAIT"),
            (90426, "BASE_BACKUP LABEL 'l' PROGRESS FAST WAL NOWAIT MAX_RATE 1024"),
            (90624, "BASE_BACKUP LABEL 'l' PROGRESS FAST WAL NOWAIT MAX_RATE 1024"),
            (100_023, "BASE_BACKUP LABEL 'l' PROGRESS FAST WAL NOWAIT MAX_RATE 1024"),
            (110_022, "BASE_BACKUP LABEL 'l' PROGRESS FAST WAL NOWAIT MAX_RATE 1024 NOVERIFY_CHECKSUMS"),
            (120_022, "BASE_BACKUP LABEL 'l' PROGRESS FAST WAL NOWAIT MAX_RATE 1024 NOVERIFY_CHECKSUMS"),
            (
                130_018,
                "BASE_BACKUP LABEL 'l' PROGRESS FAST WAL NOWAIT MAX_RATE 1024 NOVERIFY_CHECKSUMS MANIFEST 'force-encode' MANIFEST_CHECKSUMS 'SHA256'"
            ),
            (
                150_018,
                "BASE_BACKUP (LABEL 'l', PROGRESS, CHECKPOINT 'fast', WAL, WAIT 0, MAX_RATE 1024, VERIFY_CHECKSUMS 0, MANIFEST 'force-encode', MANIFEST_CHECKSUMS 'SHA256', TARGET 'client')"
            ),
            (
                180_004,
                "BASE_BACKUP (LABEL 'l', PROGRESS, CHECKPOINT 'fast', WAL, WAIT 0, MAX_RATE 1024, VERIFY_CHECKSUMS 0, MANIFEST 'force-encode', MANIFEST_CHECKSUMS 'SHA256', TARGET 'client')"
            ),
        ])
    func everything(_ version: Int, _ text: String) {
        var command = BaseBackupCommand(label: "l")
        command.fastCheckpoint = true
        command.includeWAL = true
        command.noWaitForArchive = true
        command.maxRate = 1024
        command.verifyChecksums = false
        command.manifestChecksum = "SHA256"
        command.manifestForceEncode = true
        #expect(command.text(for: ServerVersion(number: version)) == text)
    }

    @Test(
        "nothing is sent that was not asked for",
        arguments: [
            (90326, "BASE_BACKUP LABEL 'l'"), (130_018, "BASE_BACKUP LABEL 'l'"),
            (150_018, "BASE_BACKUP (LABEL 'l', TARGET 'client')"),
        ])
    func nothing(_ version: Int, _ text: String) {
        var command = BaseBackupCommand(label: "l")
        command.progress = false
        #expect(command.text(for: ServerVersion(number: version)) == text)
    }

    @Test(
        "quotes in a label are doubled, and a backslash stands for itself",
        arguments: [("it's", "'it''s'"), (#"a\b"#, #"'a\b'"#), ("", "''"), ("'", "''''"), ("é\"", "'é\"'")])
    func labels(_ label: String, _ literal: String) {
        var command = BaseBackupCommand(label: label)
        command.progress = false
        #expect(command.text(for: .oldestSupported) == "BASE_BACKUP LABEL \(literal)")
    }

    @Test(
        "a slot is made with what the version knows",
        arguments: [
            (90426, false, true, "CREATE_REPLICATION_SLOT \"s\" PHYSICAL"),
            (90624, false, true, "CREATE_REPLICATION_SLOT \"s\" PHYSICAL RESERVE_WAL"),
            (100_023, true, true, "CREATE_REPLICATION_SLOT \"s\" TEMPORARY PHYSICAL RESERVE_WAL"),
            (140_000, false, true, "CREATE_REPLICATION_SLOT \"s\" PHYSICAL RESERVE_WAL"),
            (140_000, false, false, "CREATE_REPLICATION_SLOT \"s\" PHYSICAL"),
            (150_018, false, true, "CREATE_REPLICATION_SLOT \"s\" PHYSICAL (RESERVE_WAL)"),
            (180_004, true, true, "CREATE_REPLICATION_SLOT \"s\" TEMPORARY PHYSICAL (RESERVE_WAL)"),
            (180_004, true, false, "CREATE_REPLICATION_SLOT \"s\" TEMPORARY PHYSICAL"),
        ])
    func slots(_ version: Int, _ temporary: Bool, _ reserve: Bool, _ text: String) {
        let command = ReplicationCommand.createSlot(
            "s", temporary: temporary, reserveWAL: reserve, version: ServerVersion(number: version))
        #expect(command == text)
    }

    @Test("names are quoted as identifiers")
    func identifiers() {
        #expect(ReplicationCommand.dropSlot("a\"b") == "DROP_REPLICATION_SLOT \"a\"\"b\"")
        #expect(ReplicationCommand.readSlot("understudy") == "READ_REPLICATION_SLOT \"understudy\"")
        #expect(ReplicationCommand.show("wal_segment_size") == "SHOW wal_segment_size")
        #expect(ReplicationCommand.timelineHistory(TimelineID(rawValue: 2)) == "TIMELINE_HISTORY 2")
        #expect(ReplicationCommand.identifySystem == "IDENTIFY_SYSTEM")
    }

    @Test("a stream is asked for without the word PHYSICAL, which 9.3 does not know")
    func startReplication() {
        let position = LSN(rawValue: 0xD00_0000)
        let timeline = TimelineID(rawValue: 1)
        #expect(
            ReplicationCommand.startReplication(slot: nil, from: position, timeline: timeline)
                == "START_REPLICATION 0/D000000 TIMELINE 1")
        #expect(
            ReplicationCommand.startReplication(slot: "nosuch", from: position, timeline: timeline)
                == "START_REPLICATION SLOT \"nosuch\" 0/D000000 TIMELINE 1")
    }

    @Test(
        "versions are named as people and directories name them",
        arguments: [
            (90326, "9.3.26", "9.3"), (90603, "9.6.3", "9.6"), (100_023, "10.23", "10"), (150_018, "15.18", "15"),
            (180_000, "18.0", "18"),
        ])
    func versions(_ number: Int, _ text: String, _ major: String) {
        let version = ServerVersion(number: number)
        #expect(version.description == text)
        #expect(version.major == major)
    }

    @Test("each ability begins with the version that brought it, and stays")
    func abilities() {
        let abilities: [(Int, (ServerVersion) -> Bool)] = [
            (90400, \.hasSlots), (90600, \.reservesWALOnSlotCreation), (100_000, \.hasTemporarySlots),
            (90600, \.hasReceiverView), (150_000, \.readsSlots), (130_000, \.reportsSlotWALStatus),
            (90400, \.limitsBackupRate), (110_000, \.verifiesPageChecksums), (130_000, \.hasManifest),
            (150_000, \.hasOptionLists), (100_000, \.showsSettings), (110_000, \.showsDirectoryMode),
            (100_000, { !$0.usesXlogName }),
            (100_000, { $0.walDirectoryName == "pg_wal" }),
        ]
        for (first, has) in abilities {
            for version in Self.versions { #expect(has(version) == (version.number >= first)) }
        }
    }
}
