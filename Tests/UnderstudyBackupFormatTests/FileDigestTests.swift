import Testing
import UnderstudyBackupFormat

@Suite struct FileDigestTests {
    /// Of "abc", from FIPS 180-4's examples; the CRC in the order of bytes that the manifest shows.
    static let ofABC: [(ChecksumAlgorithm, String)] = [
        (.crc32c, "b73f4b36"),
        (.sha224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
        (.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            .sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
        ),
        (
            .sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
    ]

    @Test(arguments: ofABC)
    func `one digest serves file after file`(algorithm: ChecksumAlgorithm, expected: String) throws {
        var digest = try FileDigest(algorithm)
        let text = [UInt8](ascii: "abc")
        for _ in 0..<3 {
            digest.update(text.rawSpan.extracting(0..<1))
            digest.update(text.rawSpan.extracting(1..<1))
            digest.update(text.rawSpan.extracting(1..<3))
            let checksum = try #require(try digest.finish())
            #expect(checksum.algorithm == algorithm)
            #expect(checksum.description == expected)
            #expect(checksum.bytes.count == algorithm.byteCount)
            digest.reset()
        }
    }

    @Test func `an unfinished file leaves nothing behind`() throws {
        for algorithm in ChecksumAlgorithm.allCases {
            var digest = try FileDigest(algorithm)
            let text = [UInt8](ascii: "abc")
            digest.update(text.rawSpan)
            let first = try digest.finish()
            digest.reset()
            digest.update(text.rawSpan)
            digest.reset()
            digest.update(text.rawSpan)
            let second = try digest.finish()
            #expect(first == second)
        }
    }

    @Test func `without an algorithm there is no checksum`() throws {
        var digest = try FileDigest(nil)
        digest.update([UInt8](ascii: "abc").rawSpan)
        let checksum = try digest.finish()
        #expect(checksum == nil)
    }

    @Test func `a checksum of the wrong length is none`() {
        #expect(FileChecksum(.crc32c, [1, 2, 3]) == nil)
        #expect(FileChecksum(.sha256, [UInt8](repeating: 0, count: 31)) == nil)
    }
}
