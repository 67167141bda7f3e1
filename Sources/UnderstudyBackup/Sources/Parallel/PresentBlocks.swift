import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// The blocks that the target has in the place of those that one query asks for.
///
/// They are read twice: for their digests, and once the server has said that they are the same. In between they are not kept,
/// since they would be 16 MiB for each connection; a checksum tells whether the second reading brought something else.
struct PresentBlocks: ~Copyable {
    private let buffer: Block
    private var digest: BlockDigest
    /// The checksums of the blocks of each range.
    private var checksums: [[UInt32]] = []
    /// The last file that was opened, and the part of the unit that it is.
    private var file: (part: Int, file: PresentFile?)?

    init(_ sql: BackupSQL) throws(UnderstudyError) {
        let buffer = try Self.makeBuffer(), digest = try Self.makeDigest(sql)
        self.buffer = buffer
        self.digest = digest
    }

    private static func makeBuffer() throws(UnderstudyError) -> Block {
        do throws(FileIOError) { return try Block(capacity: Int(BackupSQL.rowSize)) } catch {
            throw UnderstudyError(error)
        }
    }

    private static func makeDigest(_ sql: BackupSQL) throws(UnderstudyError) -> BlockDigest {
        do throws(BackupFormatError) { return try BlockDigest(sql.comparesByMD5 ? .md5 : .sha256) } catch {
            throw UnderstudyError(error)
        }
    }

    /// Forgets the ranges of the last query.
    mutating func reset() {
        checksums = []
        file = nil
    }

    /// The digests of the next range's blocks: of all that the target's file has.
    mutating func addRange(
        _ part: Int, _ entry: TarEntry, _ range: Range<UInt64>, _ feeder: inout some MemberFeeder
    ) throws(UnderstudyError) -> [UInt8] {
        var digests: [UInt8] = [], sums: [UInt32] = [], offset = range.lowerBound
        if !range.isEmpty, let file = try open(part, entry, &feeder) {
            while offset < range.upperBound {
                let count = Int(min(BackupSQL.rowSize, range.upperBound - offset))
                guard try read(file, offset, count) else { break }
                let block = buffer
                do throws(BackupFormatError) { digests += try digest.compute(block.bytes) } catch {
                    throw UnderstudyError(error)
                }
                sums.append(checksum)
                offset += UInt64(count)
            }
        }
        checksums.append(sums)
        return digests
    }

    /// Reads a block that the server has found to be the same.
    ///
    /// - Parameters:
    ///   - block: Its index in the range.
    ///   - part: The part of the unit that the range is of.
    /// - Returns: What holds its bytes until the next one is read.
    mutating func read(
        block: Int, ofRange range: Int, part: Int, _ entry: TarEntry, at offset: UInt64, count: Int,
        _ feeder: inout some MemberFeeder
    ) throws(UnderstudyError) -> Block {
        guard checksums.indices.contains(range), checksums[range].indices.contains(block) else {
            throw UnderstudyError(
                .protocolViolation, "server calls a block of \"\(entry.path)\" the same that it was told nothing of")
        }
        guard let file = try open(part, entry, &feeder) else { throw Self.changed("\(entry.path)") }
        guard try read(file, offset, count), checksum == checksums[range][block] else {
            throw Self.changed(file.path)
        }
        return buffer
    }

    private mutating func open(
        _ part: Int, _ entry: TarEntry, _ feeder: inout some MemberFeeder
    ) throws(UnderstudyError) -> PresentFile? {
        if let file, file.part == part { return file.file }
        let opened = try feeder.openPresent(entry)
        file = (part, opened)
        return opened
    }

    /// - Returns: Whether the file has all of it.
    private func read(_ file: PresentFile, _ offset: UInt64, _ count: Int) throws(UnderstudyError) -> Bool {
        do throws(FileIOError) { try file.read(into: buffer, from: offset, atMost: count) } catch {
            throw UnderstudyError(error)
        }
        return buffer.count == count
    }

    /// Of what the buffer holds.
    private var checksum: UInt32 {
        var crc = CRC32C()
        crc.update(buffer.bytes)
        return crc.value
    }

    private static func changed(_ path: String) -> UnderstudyError {
        UnderstudyError(
            .target, "file \"\(path)\" has changed while it was compared with the server's",
            hint: "Nothing else may write there meanwhile. If nothing does, check the disk.")
    }
}
