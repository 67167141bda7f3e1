import Testing
import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

@Suite("Files that come in pieces, or through several feeders")
struct PieceTests {
    private func entry(_ name: String, _ size: Int) throws -> TarEntry {
        TarEntry(path: try MemberPath(name), kind: .file, mode: 0o600, size: UInt64(size))
    }

    /// Feeds content in rows of 64 KiB, as they come from a server.
    private func feed(_ bytes: ArraySlice<UInt8>, to feeder: inout some MemberFeeder) throws {
        let content = Array(bytes)
        for start in stride(from: 0, to: content.count, by: 65536) {
            try feeder.content(content.rawSpan.extracting(start..<min(content.count, start + 65536)))
        }
    }

    @Test(
        "pieces in any order make the file and its checksum",
        arguments: [(0, false), (8192, false), (777, false), (777, true)])
    func anyOrder(_ tail: Int, _ leavesHoles: Bool) throws {
        let unpacking = try Unpacking(
            .init(algorithm: .crc32c, base: TestDirectory.makeOnDisk("pieces"), leavesHoles: leavesHoles))
        // Large enough for a hole where there are any. One piece is zeros, and one begins with them.
        let piece = leavesHoles ? 16 << 20 : 2 << 20
        var content = [UInt8].pattern(piece, seed: 1) + [UInt8](repeating: 0, count: piece + 65536)
        content += [UInt8].pattern(piece - 65536 + tail, seed: 2)
        let size = UInt64(content.count), file = FileInPieces(size: size)
        let offsets = Array(stride(from: 0, to: size, by: piece))
        var feeders = [try unpacking.makeFeeder(), try unpacking.makeFeeder()]
        for (number, offset) in offsets.reversed().enumerated() {
            let count = min(UInt64(piece), size - offset), index = number % 2
            try feeders[index].begin(
                entry("large", content.count), FilePiece(of: file, offset: offset, count: count))
            try feed(content[Int(offset)..<Int(offset + count)], to: &feeders[index])
            try feeders[index].end()
        }
        for index in feeders.indices { try feeders[index].drain() }
        try unpacking.drain()
        #expect(try same(unpacking.content("large", atMost: 64 << 20), content))
        #expect(try unpacking.check("large", content, .crc32c) == .verified)
        let bytes = try FileTree.allocated("\(unpacking.path)/large")
        #expect(leavesHoles ? bytes < 2 * piece + (1 << 20) : bytes >= content.count, "\(bytes) bytes")
    }

    @Test("files of two feeders that go on in the next batch do not mix")
    func interleaved() throws {
        let unpacking = try Unpacking(.init(algorithm: .crc32c, base: TestDirectory.makeOnDisk("pieces")))
        let contents = (0..<4).map { [UInt8].pattern(7 << 20, seed: $0 + 1) }
        var feeders = try contents.map { _ in try unpacking.makeFeeder() }
        for (index, content) in contents.enumerated() { try feeders[index].begin(entry("file\(index)", content.count)) }
        for start in stride(from: 0, to: 7 << 20, by: 1 << 20) {
            for (index, content) in contents.enumerated() {
                try feed(content[start..<start + (1 << 20)], to: &feeders[index])
            }
        }
        for index in feeders.indices {
            try feeders[index].end()
            try feeders[index].drain()
        }
        for (index, content) in contents.enumerated() {
            #expect(try same(unpacking.content("file\(index)"), content))
            #expect(try unpacking.check("file\(index)", content, .crc32c) == .verified)
        }
    }

    // MARK: - The queue

    private func table(_ sizes: [UInt64]) throws -> FileTable {
        var table = FileTable()
        let directory = try table.add(
            .init(archive: 0, isOfTablespace: false, path: "base/5", member: Array("base/5".utf8)))
        for (index, size) in sizes.enumerated() {
            try table.add(Array("\(index)".utf8), in: directory, size: size, modificationTime: 9)
        }
        return table
    }

    private func units(_ queue: BackupQueue) throws -> [[String]] {
        var units: [[String]] = []
        while let unit = try queue.next() {
            units.append(unit.parts.map { "\($0.path) \($0.range.lowerBound)..<\($0.range.upperBound)" })
        }
        return units
    }

    @Test("the largest files come first, in pieces that get smaller towards the end; small ones share a unit")
    func order() throws {
        let table = try table([3, 1 << 20, (400 << 20) + 8192, 0, 6 << 20, 5])
        let queue = BackupQueue(
            table, leavingOut: { $0.size == 5 }, order: .largestFirst(cutsFiles: true), fileMode: 0o600)
        let units = try units(queue), largest = units.prefix { $0[0].hasPrefix("base/5/2 ") }
        #expect(
            units.dropFirst(largest.count) == [
                ["base/5/4 0..<4194304"], ["base/5/4 4194304..<6291456"], ["base/5/1 0..<1048576"],
                ["base/5/0 0..<3", "base/5/3 0..<0"],
            ])
        let bounds = largest.flatMap { $0[0].dropFirst(9).split(separator: "..<").map { UInt64($0)! } }
        #expect(bounds.first == 0 && bounds.last == (400 << 20) + 8192)
        #expect(stride(from: 1, to: bounds.count - 1, by: 2).allSatisfy { bounds[$0] == bounds[$0 + 1] })
        let sizes = stride(from: 0, to: bounds.count, by: 2).map { bounds[$0 + 1] - bounds[$0] }
        #expect(sizes.first == 16 << 20 && sizes.dropLast().last == 4 << 20 && sizes == sizes.sorted(by: >), "\(sizes)")
        let whole = BackupQueue(
            table, leavingOut: { _ in false }, order: .largestFirst(cutsFiles: false), fileMode: 0o600)
        #expect(try self.units(whole).first == ["base/5/2 0..<\((400 << 20) + 8192)"])
        let stopped = BackupQueue(
            table, leavingOut: { _ in false }, order: .largestFirst(cutsFiles: true), fileMode: 0o600)
        stopped.stop()
        #expect(try stopped.next() == nil)
    }

    @Test(
        "in turns, one archive comes after another, each with its directories first, and no unit is larger than a piece"
    )
    func turns() throws {
        var table = try table([3, (9 << 20) + 1, 1 << 20])
        let space = try table.add(
            .init(archive: 1, isOfTablespace: true, path: "pg_tblspc/9/PG_15_1", member: Array("PG_15_1".utf8)))
        for number in 0..<1200 {
            let size: UInt64 = number == 0 ? 5 << 20 : number < 10 ? (1 << 20) - 1 : 1
            try table.add(Array("\(number)".utf8), in: space, size: size, modificationTime: 0)
        }
        let directory = TarEntry(path: try MemberPath("PG_15_1"), kind: .directory, mode: 0o700)
        let queue = BackupQueue(
            table, leavingOut: { _ in false }, order: .inTurn(archives: [(1, [directory]), (2, []), (0, [])]),
            fileMode: 0o600)
        var units: [BackupUnit] = []
        while let unit = try queue.next() { units.append(unit) }
        #expect(units.map(\.turn.number) == Array(units.indices) && queue.turns == units.count)
        #expect(
            units.map(\.archive)
                == units.map(\.archive).sorted { [1, 2, 0].firstIndex(of: $0)! < [1, 2, 0].firstIndex(of: $1)! })
        #expect(units.filter { !$0.directories.isEmpty }.map(\.turn.number) == [0])
        #expect(units.allSatisfy { $0.parts.reduce(0) { $0 + $1.range.count } <= Int(BackupQueue.pieceSizeInTurn) })
        let space9 = units.filter { $0.archive == 1 }
        #expect(space9[1].parts[0].range == 0..<4 << 20 && space9[2].parts[0].range == 4 << 20..<5 << 20)
        #expect(Set(space9.flatMap(\.parts).map(\.path)).count == 1200)
        #expect(units.filter { $0.archive == 2 }.map(\.parts.count) == [0])
        #expect(
            units.filter { $0.archive == 0 }.map { $0.parts.first?.range.count ?? 0 } == [
                0, 4 << 20, 4 << 20, (1 << 20) + 1, 1 << 20, 3,
            ])
    }

    @Test("a hundred thousand files are in the table once each")
    func many() throws {
        var table = FileTable()
        for number in 0..<1000 {
            let name = "base/\(number)"
            let directory = try table.add(
                .init(archive: 0, isOfTablespace: false, path: name, member: Array(name.utf8)))
            for file in 0..<100 { try table.add(Array("\(file)".utf8), in: directory, size: 1, modificationTime: 0) }
        }
        let queue = BackupQueue(
            table, leavingOut: { _ in false }, order: .largestFirst(cutsFiles: true), fileMode: 0o600)
        var seen = Set<String>()
        while let unit = try queue.next() { for part in unit.parts { #expect(seen.insert(part.path).inserted) } }
        #expect(seen.count == 100_000)
    }
}
