import Testing
import UnderstudyBackupFormat

@Suite struct RelationFileNameTests {
    @Test(
        arguments: [
            ("16384", RelationFileName(16384)), ("1", RelationFileName(1)),
            ("4294967295", RelationFileName(.max)), ("16384_fsm", RelationFileName(16384, fork: .freeSpaceMap)),
            ("16384_vm", RelationFileName(16384, fork: .visibilityMap)),
            ("16384_init", RelationFileName(16384, fork: .initial)), ("16384.2", RelationFileName(16384, segment: 2)),
            ("16384_vm.1", RelationFileName(16384, fork: .visibilityMap, segment: 1)),
            ("t3_16384", RelationFileName(16384, session: 3)), ("t0_16384", RelationFileName(16384, session: 0)),
            ("t12_16384_fsm.31", RelationFileName(16384, fork: .freeSpaceMap, segment: 31, session: 12)),
        ] as [(String, RelationFileName)])
    func `names of relations' files are read, and written the same`(name: String, file: RelationFileName) {
        #expect(RelationFileName(parsing: name.utf8) == file)
        #expect("\(file)" == name)
    }

    @Test(arguments: [
        "", "0", "016384", "4294967296", "99999999999999999999999", "16384_", "16384_main", "16384_FSM", "16384_fsm_vm",
        "16384.", "16384.0", "16384.01", "16384.1.2", "16384.1_fsm", "16384_fsm.", "16384.1x", "16384x", "x16384",
        "16384 ",
        "-1", "+1", "t", "t_16384", "t3", "t3_", "t3_x", "t03_1", "T3_16384", "tt3_1", "PG_VERSION", "pg_filenode.map",
        "pg_internal.init", "pgsql_tmp", "١٦",
    ])
    func `other names are none`(name: String) {
        #expect(RelationFileName(parsing: name.utf8) == nil)
    }

    @Test func `blocks go on in the next segment`() {
        #expect(RelationFileName(1).firstBlock(blocksPerSegment: 131_072) == 0)
        #expect(RelationFileName(1, segment: 3).firstBlock(blocksPerSegment: 131_072) == 393_216)
        #expect(RelationFileName(1, segment: 32_767).firstBlock(blocksPerSegment: 131_072) == 4_294_836_224)
        #expect(RelationFileName(1, segment: 32_768).firstBlock(blocksPerSegment: 131_072) == nil)
    }
}
