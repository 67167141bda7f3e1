import Glibc
import Testing
import UnderstudyWAL

@Suite struct ControlFileTests {
    struct Recorded: Sendable, CustomTestStringConvertible {
        var server: String
        var version: UInt32
        var catalogVersion: UInt32
        var systemIdentifier: UInt64
        var walLevel = WALLevel.replica
        var maxWorkerProcesses: Int? = 8
        var maxWALSenders: Int?
        var maxLocks = 64
        var megabytes: UInt64 = 16

        var testDescription: String { server }
    }

    static let recorded = [
        Recorded(
            server: "9.3", version: 937, catalogVersion: 201_306_121, systemIdentifier: 7_711_122_553_469_665_115,
            walLevel: .hotStandby, maxWorkerProcesses: nil),
        Recorded(
            server: "9.4", version: 942, catalogVersion: 201_409_291, systemIdentifier: 7_711_122_637_265_022_495,
            walLevel: .hotStandby),
        Recorded(
            server: "9.5", version: 942, catalogVersion: 201_510_051, systemIdentifier: 7_711_122_748_855_226_004,
            walLevel: .hotStandby),
        Recorded(
            server: "9.6", version: 960, catalogVersion: 201_608_131, systemIdentifier: 7_711_122_858_497_355_530),
        Recorded(
            server: "10", version: 1002, catalogVersion: 201_707_211, systemIdentifier: 7_711_122_965_838_720_870),
        Recorded(
            server: "11", version: 1100, catalogVersion: 201_809_051, systemIdentifier: 7_711_123_025_233_387_458),
        Recorded(
            server: "12", version: 1201, catalogVersion: 201_906_161, systemIdentifier: 7_711_123_089_531_527_199,
            maxWALSenders: 10, megabytes: 1),
        Recorded(
            server: "13", version: 1300, catalogVersion: 202_007_201, systemIdentifier: 7_711_123_145_201_778_812,
            maxWALSenders: 10),
        Recorded(
            server: "14", version: 1300, catalogVersion: 202_106_151, systemIdentifier: 7_711_123_203_139_518_680,
            maxWALSenders: 10),
        Recorded(
            server: "15", version: 1300, catalogVersion: 202_209_061, systemIdentifier: 7_711_123_260_964_962_612,
            maxWALSenders: 10),
        Recorded(
            server: "16", version: 1300, catalogVersion: 202_307_071, systemIdentifier: 7_711_123_325_478_064_532,
            maxWALSenders: 10),
        Recorded(
            server: "17", version: 1700, catalogVersion: 202_406_281, systemIdentifier: 7_711_123_381_876_146_669,
            maxWALSenders: 10),
        Recorded(
            server: "18", version: 1800, catalogVersion: 202_506_291, systemIdentifier: 7_711_123_440_821_391_945,
            maxWALSenders: 10),
        Recorded(
            server: "19", version: 1902, catalogVersion: 202_606_281, systemIdentifier: 7_711_123_503_506_346_668,
            maxWALSenders: 10, maxLocks: 128),
    ]

    @Test("a control file of each server version is read", arguments: recorded)
    func reads(expected: Recorded) throws {
        let file = try ControlFile(parsing: fixture(expected.server))
        #expect(file.version == expected.version)
        #expect(file.catalogVersion == expected.catalogVersion)
        #expect(file.systemIdentifier == expected.systemIdentifier)
        #expect(file.state == .inProduction)
        #expect(file.walLevel == expected.walLevel)
        #expect(file.walLogHints == (expected.server == "9.3" ? nil : false))
        #expect(file.maxConnections == 30)
        #expect(file.maxWorkerProcesses == expected.maxWorkerProcesses)
        #expect(file.maxWALSenders == expected.maxWALSenders)
        #expect(file.maxPreparedTransactions == 0)
        #expect(file.maxLocksPerTransaction == expected.maxLocks)
        #expect(file.trackCommitTimestamp == (["9.3", "9.4"].contains(expected.server) ? nil : false))
        #expect(file.blockSize == 8192)
        #expect(file.walSegmentSize.bytes == expected.megabytes << 20)
        #expect(file.dataChecksumVersion == 1)
    }

    @Test(
        "settings that are all different land in their fields",
        arguments: [
            ("15", 7_711_160_434_750_086_557, 64), ("16", 7_711_160_447_870_852_751, 1),
            ("18", 7_711_160_454_195_912_405, 32),
        ] as [(String, UInt64, UInt64)])
    func settings(server: String, systemIdentifier: UInt64, megabytes: UInt64) throws {
        let file = try ControlFile(parsing: fixture("\(server)-settings"))
        let number = try #require(Int(server))
        #expect(file.systemIdentifier == systemIdentifier)
        #expect(file.state == .shutDown)
        #expect(file.walLevel == .logical)
        #expect(file.walLogHints == true)
        #expect(file.maxConnections == 100 + number)
        #expect(file.maxWorkerProcesses == 200 + number)
        #expect(file.maxWALSenders == 3)
        #expect(file.maxPreparedTransactions == 400 + number)
        #expect(file.maxLocksPerTransaction == 500 + number)
        #expect(file.trackCommitTimestamp == true)
        #expect(file.walSegmentSize.bytes == megabytes << 20)
        #expect(file.dataChecksumVersion == 1)
    }

    @Test("a cluster without page checksums is told apart")
    func noChecksums() throws {
        let file = try ControlFile(parsing: fixture("18-no-checksums"))
        #expect(file.systemIdentifier == 7_711_160_459_123_158_802)
        #expect(file.dataChecksumVersion == 0 && file.state == .shutDown)
    }

    @Test("a file cut off before its last field is refused, and padding is not needed", arguments: recorded)
    func truncated(expected: Recorded) throws {
        let bytes = try fixture(expected.server)
        let whole = try ControlFile(parsing: bytes)
        let lengths = try bytes.indices.map { length in
            try Result { () throws(ControlFileError) in try ControlFile(parsing: Array(bytes[..<length])) }.read()
        }
        let end = try #require(lengths.firstIndex(of: whole))
        #expect(lengths[end...].allSatisfy { $0 == whole })
        #expect(lengths[..<end].allSatisfy { $0 == nil })
        #expect((229...308).contains(end))
    }

    @Test("a changed bit anywhere before the padding is noticed", arguments: recorded)
    func damaged(expected: Recorded) throws {
        let bytes = try fixture(expected.server)
        let end = try #require(bytes.lastIndex { $0 != 0 })
        for index in 0...end {
            var damaged = bytes
            damaged[index] ^= 0x10
            #expect(throws: ControlFileError.self, "byte \(index)") { try ControlFile(parsing: damaged) }
        }
    }

    @Test("what cannot be read says why")
    func reasons() throws {
        let bytes = try fixture("15")
        #expect(throws: ControlFileError.truncated(0)) { try ControlFile(parsing: []) }
        #expect(throws: ControlFileError.truncated(200)) { try ControlFile(parsing: Array(bytes[..<200])) }

        var other = bytes
        other[8] = 0xFF
        #expect(throws: ControlFileError.unknownVersion(0x5FF)) { try ControlFile(parsing: other) }
        other = bytes
        other.replaceSubrange(8..<12, with: bytes[8..<12].reversed())
        #expect(throws: ControlFileError.byteOrder) { try ControlFile(parsing: other) }
        other = bytes
        other[100] ^= 1
        #expect(throws: ControlFileError.checksumMismatch) { try ControlFile(parsing: other) }
        #expect(ControlFileError.truncated(7).description == "control file is too short: 7 bytes")
    }
}

extension Result where Success == ControlFile, Failure == ControlFileError {
    /// nil for "too short"; any other error is a failure of the test.
    fileprivate func read() throws -> ControlFile? {
        do {
            return try get()
        } catch .truncated {
            return nil
        }
    }
}

/// The bytes of `fixtures/pg_control/NAME.bin`.
private func fixture(_ name: String) throws -> [UInt8] {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let path = "\(root)/fixtures/pg_control/\(name).bin"
    guard let file = unsafe fopen(path, "r") else { throw MissingFixture(path: path) }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    // Safe: the file is open, and fread writes no more than the array's count.
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe fread($0.baseAddress, 1, $0.count, file) }
    return Array(bytes[..<count])
}

private struct MissingFixture: Error {
    var path: String
}
