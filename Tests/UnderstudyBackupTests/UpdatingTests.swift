import Foundation
import Glibc
import Testing
import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

/// Members that meet what lies in their place already.
@Suite("A directory that is updated")
struct UpdatingTests {
    private static let row = 65536

    private func makeUnpacking(leavesHoles: Bool = false) throws -> Unpacking {
        try Unpacking(
            .init(
                algorithm: .crc32c, base: TestDirectory.makeOnDisk("updating"), leavesHoles: leavesHoles, updates: true)
        )
    }

    private func entry(_ name: String, _ size: Int, _ kind: TarEntry.Kind = .file) throws -> TarEntry {
        TarEntry(path: try MemberPath(name), kind: kind, mode: kind == .file ? 0o600 : 0o700, size: UInt64(size))
    }

    /// Feeds a file as a transfer does: what lies there is compared, and only blocks that differ come.
    ///
    /// - Parameter piece: The size of pieces, which come in the reverse order; nil for the file as a whole.
    /// - Returns: The bytes that came.
    private func update(
        _ name: String, _ content: [UInt8], _ feeder: inout some MemberFeeder, piece: Int?
    ) throws -> Int {
        let entry = try entry(name, content.count), size = max(1, piece ?? content.count)
        let file = FileInPieces(size: UInt64(content.count))
        let block = try Block(capacity: Self.row)
        var sent = 0
        for start in stride(from: 0, to: max(1, content.count), by: size).reversed() {
            let end = min(content.count, start + size), found = try feeder.openPresent(entry)
            if piece == nil {
                try feeder.begin(entry)
            } else {
                try feeder.begin(entry, FilePiece(of: file, offset: UInt64(start), count: UInt64(end - start)))
            }
            for offset in stride(from: start, to: end, by: Self.row) {
                let bytes = content.rawSpan.extracting(offset..<min(end, offset + Self.row))
                try found?.read(into: block, from: UInt64(offset), atMost: bytes.byteCount)
                if found != nil, same(block.bytes.array, bytes.array) {
                    try feeder.present(bytes)
                } else {
                    try feeder.content(bytes)
                    sent += bytes.byteCount
                }
            }
            try feeder.end()
        }
        return sent
    }

    // MARK: - Files

    enum Found: CaseIterable {
        case nothing, same, changed, shorter, longer, linkedTwice, symbolicLink, directory, pipe
    }

    @Test("only blocks that differ are written, and what is no file of its own is replaced", arguments: Found.allCases)
    func found(_ found: Found) throws {
        for (size, piece) in [(200_000, nil), ((3 << 20) + 777, nil), ((3 << 20) + 777, 1 << 20)] as [(Int, Int?)] {
            let unpacking = try makeUnpacking(), path = "\(unpacking.path)/file", other = "\(unpacking.base)/other"
            let content = [UInt8].pattern(size, seed: 1)
            var old = content
            switch found {
            case .changed, .linkedTwice, .symbolicLink: for index in [70_000, size - 1] { old[index] ^= 1 }
            case .shorter: old.removeLast(100_000)
            case .longer: old += [1, 2, 3]
            default: break
            }
            let place = found == .symbolicLink ? other : path
            switch found {
            case .nothing: break
            case .directory:
                try TestDirectory.make(at: path)
                try TestDirectory.write("x", to: "\(path)/inside")
            case .pipe: #expect(unsafe mkfifo(path, 0o600) == 0)
            default:
                try Data(old).write(to: URL(fileURLWithPath: place))
                #expect(unsafe chmod(place, 0o644) == 0)
                if found == .linkedTwice { #expect(unsafe link(path, other) == 0) }
                if found == .symbolicLink { #expect(unsafe symlink(other, path) == 0) }
            }
            var feeder = try unpacking.makeFeeder()
            let sent = try update("file", content, &feeder, piece: piece)
            try feeder.drain()
            #expect(try same(unpacking.content("file"), content), "\(found) \(size)")
            #expect(try unpacking.check("file", content, .crc32c) == .verified)
            #expect(try FileTree.mode(path) == 0o600)
            #expect(try ConfinedDirectory(path: unpacking.path).kind(of: "file") == .file)
            let last = (size - 1) % Self.row + 1
            switch found {
            case .same, .longer: #expect(sent == 0)
            case .changed: #expect(sent == Self.row + last)
            case .shorter: #expect(sent < 100_000 + Self.row)
            default: #expect(sent == size)
            }
            if [.linkedTwice, .symbolicLink].contains(found) { #expect(try same(FileTree.bytes(other), old)) }
        }
    }

    @Test("a file of which all blocks are the same is not written", arguments: [nil, 1 << 20] as [Int?])
    func untouched(_ piece: Int?) throws {
        let unpacking = try makeUnpacking(leavesHoles: true), path = "\(unpacking.path)/file"
        let content = [UInt8].pattern(2 << 20, seed: 3)
        try Data(content).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000), .posixPermissions: 0o600],
            ofItemAtPath: path)
        let before = try ConfinedDirectory(path: unpacking.path).status(of: "file")
        var feeder = try unpacking.makeFeeder()
        #expect(try update("file", content, &feeder, piece: piece) == 0)
        try feeder.drain()
        let after = try ConfinedDirectory(path: unpacking.path).status(of: "file")
        #expect(before.st_ino == after.st_ino && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec)
        #expect(after.st_mtim.tv_sec == 1_000_000_000)
        #expect(try unpacking.check("file", content, .crc32c) == .verified)
    }

    @Test(
        "what was found and is gone when the file is opened is written all the same",
        arguments: [nil, 1 << 20] as [Int?])
    func gone(_ piece: Int?) throws {
        let unpacking = try makeUnpacking()
        let content = [UInt8].pattern((2 << 20) + 5, seed: 3)
        var feeder = try unpacking.makeFeeder()
        let entry = try entry("file", content.count), file = FileInPieces(size: UInt64(content.count))
        for start in stride(from: 0, to: content.count, by: piece ?? content.count) {
            let end = min(content.count, start + (piece ?? content.count))
            if piece == nil {
                try feeder.begin(entry)
            } else {
                try feeder.begin(entry, FilePiece(of: file, offset: UInt64(start), count: UInt64(end - start)))
            }
            try feeder.present(content.rawSpan.extracting(start..<end))
            try feeder.end()
        }
        try feeder.drain()
        #expect(try same(unpacking.content("file"), content))
    }

    @Test(
        "zeros in the place of other bytes are zeros, as holes or not", arguments: [false, true],
        [nil, 16 << 20] as [Int?])
    func zeros(_ leavesHoles: Bool, _ piece: Int?) throws {
        let unpacking = try makeUnpacking(leavesHoles: leavesHoles)
        let part = 16 << 20
        let old = [UInt8].pattern(2 * part + 777, seed: 1)
        var content = old
        content.replaceSubrange(part..<content.count, with: [UInt8](repeating: 0, count: part + 777))
        try Data(old).write(to: URL(fileURLWithPath: "\(unpacking.path)/file"))
        var feeder = try unpacking.makeFeeder()
        #expect(try update("file", content, &feeder, piece: piece) == part + 777)
        try feeder.drain()
        #expect(try same(unpacking.content("file", atMost: 64 << 20), content))
        #expect(try unpacking.check("file", content, .crc32c) == .verified)
        let bytes = try FileTree.allocated("\(unpacking.path)/file")
        #expect(leavesHoles ? bytes < part + (1 << 20) : bytes >= content.count, "\(bytes) bytes")
    }

    @Test("a file that does not come any more is removed")
    func leftOut() throws {
        let unpacking = try makeUnpacking()
        try TestDirectory.write("old", to: "\(unpacking.path)/file")
        var feeder = try unpacking.makeFeeder()
        try feeder.leaveOut(try entry("file", 3))
        try feeder.leaveOut(try entry("nothing", 3))
        #expect(Unpacking.names(unpacking.path) == [])
    }

    @Test("nothing is told of files that a server never sends")
    func unasked() throws {
        let unpacking = try makeUnpacking()
        try TestDirectory.write("1", to: "\(unpacking.path)/postmaster.pid")
        var feeder = try unpacking.makeFeeder()
        #expect(throws: UnderstudyError.self) { try feeder.openPresent(try self.entry("postmaster.pid", 1)) }
        #expect(throws: UnderstudyError.self) { try feeder.leaveOut(try self.entry("postmaster.pid", 1)) }
        #expect(FileTree.exists("\(unpacking.path)/postmaster.pid"))
    }

    // MARK: - Directories and links

    @Test("directories stay and get their mode, and what is none is replaced")
    func directories() throws {
        let unpacking = try makeUnpacking()
        let outside = try TestDirectory.make("outside")
        try TestDirectory.make(at: "\(unpacking.path)/kept", mode: 0o755)
        try TestDirectory.write("x", to: "\(unpacking.path)/kept/inside")
        try TestDirectory.write("x", to: "\(unpacking.path)/file")
        #expect(unsafe symlink(outside, "\(unpacking.path)/link") == 0)
        var feeder = try unpacking.makeFeeder()
        for name in ["kept", "file", "link", "new"] {
            try feeder.begin(try entry(name, 0, .directory))
            try feeder.end()
        }
        #expect(try FileTree.mode("\(unpacking.path)/kept") == 0o700)
        #expect(FileTree.exists("\(unpacking.path)/kept/inside") && FileTree.exists(outside))
        for name in ["file", "link", "new"] {
            let kind = try ConfinedDirectory(path: unpacking.path).kind(of: RelativePath(name))
            #expect(kind == .directory, "\(name)")
        }
    }

    @Test("links to tablespaces lead where they are to lead", arguments: ["", "/elsewhere", "file"])
    func links(_ old: String) throws {
        let unpacking = try Unpacking(.init(tablespaces: [16385], updates: true))
        let place = "\(unpacking.base)/16385", link = "\(unpacking.path)/pg_tblspc/16385"
        try TestDirectory.make(at: "\(unpacking.path)/pg_tblspc")
        switch old {
        case "": #expect(unsafe symlink(place, link) == 0)
        case "file": try TestDirectory.write("x", to: link)
        default: #expect(unsafe symlink(old, link) == 0)
        }
        var feeder = try unpacking.makeFeeder()
        try feeder.begin(try entry("pg_tblspc", 0, .directory))
        try feeder.end()
        try feeder.begin(try entry("pg_tblspc/16385", 0, .symbolicLink(target: Array("/there".utf8))))
        try feeder.end()
        #expect(try FileTree.linkTarget(link) == place)
        #expect(unpacking.linked == [16385])
    }
}
