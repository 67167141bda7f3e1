import Foundation
import Testing
import UnderstudyTestSupport

/// `understudy archive list`, `check` and `prune`, with archives of all who write some.
@Suite(.disabled(if: isStock)) struct ArchiveCommandTests {
    /// A server whose WAL goes into four archives, and two base backups of it.
    private struct Place {
        let primary: Cluster
        let backups: String
        /// Compressed by zstd here, by gzip and lz4 by the stock tool, and copied by an archive_command.
        let archives: [(archive: WALArchive, suffix: String)]

        init() throws {
            let copies = try WALArchive()
            primary = try Cluster.keepingWAL(
                .newest, segmentMegabytes: 1, ["archive_mode = on", "archive_command = 'cp %p \(copies.path)/%f'"])
            backups = try TestDirectory.make("backups")
            let zstd = try WALArchive(), gzip = try WALArchive(), lz4 = try WALArchive()
            archives = [(zstd, ".zst"), (gzip, ".gz"), (lz4, ".lz4"), (copies, "")]
            let receivers = [
                try zstd.receive(from: primary, ["-Z", "zstd"]),
                try gzip.receive(from: primary, ["-Z", "gzip:1"], by: .stock),
                try lz4.receive(from: primary, ["-Z", "lz4"], by: .stock),
            ]
            try eventually("three receivers") {
                try primary.holds("SELECT count(*) = 3 FROM pg_stat_replication WHERE state = 'streaming'")
            }
            try primary.sql("CREATE TABLE story (line text)")
            for (name, format) in [("monday", ["-F", "t", "-Z", "gzip"]), ("tuesday", ["-X", "none"])] {
                for _ in 1...2 { try primary.finishSegment() }
                let result = try basebackup(primary, to: "\(backups)/\(name)", format)
                try #require(result.status == 0, "\(result)")
                try primary.sql("INSERT INTO story VALUES ('\(name)')")
            }
            try primary.finishSegment()
            let last = try primary.finishSegment()
            for (archive, receiver) in zip(archives, receivers) { try archive.archive.wait(for: last, receiver) }
            for receiver in receivers { #expect(receiver.stop(SIGINT).status == 0) }
            try eventually("the last segment in \(copies.names)") { copies.segments.contains(last) }
            try primary.stop()
        }
    }

    private func run(_ verb: String, _ archive: WALArchive, _ arguments: [String] = []) throws -> ProgramResult {
        try UnderstudyProgram.run(["archive", verb, "-D", archive.path] + arguments)
    }

    private func object(_ result: ProgramResult) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any], "\(result)")
    }

    private func restorable(_ archive: WALArchive, _ place: Place) throws -> [Bool] {
        let result = try run("list", archive, ["--backup", place.backups, "--json"])
        #expect(result.status == 0, "\(result)")
        let backups = try #require(try object(result)["restorable"] as? [[String: Any]])
        #expect(backups.map { ($0["backup"] as? String)?.split(separator: "/").last } == ["monday", "tuesday"])
        return backups.compactMap { $0["restorable"] as? Bool }
    }

    @Test func `what a backup does not need goes, and it restores afterwards`() throws {
        let place = try Place()
        for (archive, suffix) in place.archives {
            let sound = try run("check", archive)
            #expect(sound.status == 0 && sound.output.hasSuffix(": all sound\n"), "\(suffix): \(sound)")
            let list = try run("list", archive)
            #expect(list.output.contains("timeline 1\n") && !list.output.contains("gaps"), "\(list)")
            #expect(try restorable(archive, place) == [true, true], "\(suffix)")

            let before = archive.names
            let dry = try run("prune", archive, ["--keep-from", "\(place.backups)/tuesday", "-v"])
            #expect(dry.status == 0 && dry.output.contains("nothing was removed: add --apply"), "\(dry)")
            #expect(archive.names == before)
            let removed = dry.output.split(separator: "\n").map(String.init).filter { before.contains($0) }
            #expect(removed.count >= 4, "\(dry)")
            try expectAgreement(archive, suffix, removed, place)

            let applied = try run("prune", archive, ["--keep-from", "\(place.backups)/tuesday", "--apply", "--json"])
            #expect(try object(applied)["removedFiles"] as? Int == removed.count, "\(applied)")
            #expect(archive.names == before.filter { !removed.contains($0) })
            #expect(try restorable(archive, place) == [false, true], "\(suffix)")
            #expect(try run("check", archive).status == 0)
        }
        try restore(place)
        try damage(place)
    }

    /// The stock tool would remove the same segments.
    private func expectAgreement(
        _ archive: WALArchive, _ suffix: String, _ removed: [String], _ place: Place
    ) throws {
        let label = try FileTree.text("\(place.backups)/tuesday/backup_label")
        let start = try #require(label.split(separator: "\n").first?.split(separator: " ").last?.dropLast())
        let extensions = suffix.isEmpty ? [] : ["-x", suffix]
        let stock = try Program.check(
            place.primary.installation.program("pg_archivecleanup"),
            ["-n"] + extensions + [archive.path, String(start)])
        let names = stock.output.split(separator: "\n").map { String($0.split(separator: "/").last ?? "") }
        #expect(names.sorted() == removed.filter { !$0.contains(".backup") }, "\(stock)")
    }

    private func restore(_ place: Place) throws {
        let copy = try Cluster(copy: "\(place.backups)/tuesday", of: place.primary)
        try copy.append(
            ["restore_command = 'cp \(place.archives[3].archive.path)/%f %p'", "archive_mode = off"],
            to: "postgresql.auto.conf")
        try TestDirectory.write("", to: "\(copy.directory)/recovery.signal")
        try copy.start()
        try eventually("the end of recovery: \(copy.logTail)") { try copy.holds("SELECT NOT pg_is_in_recovery()") }
        #expect(try copy.sql("SELECT count(*) FROM story") == "2")
        try copy.stop()
    }

    /// One byte of the newest complete segment.
    private func damage(_ place: Place) throws {
        for (archive, suffix) in place.archives {
            let name = try #require(archive.segments.last), path = "\(archive.path)/\(name)"
            var bytes = try FileTree.bytes(path)
            // The address of the first page; a checksum; and the stock tool's lz4 files have none.
            let offset = suffix.isEmpty ? 8 : suffix == ".lz4" ? 0 : bytes.count - (suffix == ".gz" ? 6 : 2)
            bytes[offset] ^= 0x20
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let result = try run("check", archive, ["--json"])
            #expect(result.status == 1, "\(result)")
            let findings = try #require(try object(result)["findings"] as? [[String: Any]])
            #expect(findings.map { $0["file"] as? String } == [name], "\(result)")
            #expect(findings.first?["kind"] as? String == (suffix.isEmpty ? "otherWAL" : "container"), "\(result)")
            if suffix.isEmpty { #expect(findings.first?["offset"] as? Int == offset) }
        }
    }
}
