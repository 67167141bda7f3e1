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

    // MARK: - Over failovers

    /// What `list` says, as a program reads it.
    private func list(_ archive: WALArchive, _ arguments: [String] = []) throws -> [String: Any] {
        let result = try run("list", archive, ["--json"] + arguments)
        #expect(result.status == 0, "\(result)")
        return try object(result)
    }

    private func expectSound(_ archive: WALArchive, stretches: Int = 1) throws {
        let check = try run("check", archive)
        #expect(check.status == 0 && check.output.hasSuffix(": all sound\n"), "\(check)")
        let list = try list(archive)
        #expect((list["gaps"] as? [Any])?.isEmpty == true, "\(list)")
        #expect((list["stretches"] as? [Any])?.count == stretches, "\(list)")
    }

    @Test func `an archive over three timelines is sound before and after each removal`() throws {
        let cluster = try Cluster.keepingWAL(.newest, ["restore_command = 'false'"])
        let archive = try WALArchive(), backup = TestDirectory.freshPath("backup")
        let program = try archive.receive(from: cluster, ["-Z", "zstd"])
        try cluster.waitForStream(program)
        for timeline in 1...3 {
            for _ in 1...3 { try cluster.finishSegment() }
            try cluster.sql("CREATE TABLE t\(timeline) ()")
            if timeline == 3 { continue }
            // A server that ends its recovery begins a new timeline.
            try cluster.stop()
            try TestDirectory.write("", to: "\(cluster.directory)/recovery.signal")
            try cluster.start()
            try eventually("the end of recovery") { try cluster.holds("SELECT NOT pg_is_in_recovery()") }
        }
        let result = try basebackup(cluster, to: backup, ["-X", "none"])
        try #require(result.status == 0, "\(result)")
        try archive.wait(for: try cluster.finishSegment(), program)
        #expect(program.stop().status == 0)
        let partials = archive.partials, histories = archive.names.filter { $0.contains(".history") }
        #expect(histories.count == 2 && partials.count >= 2, "\(archive.names)")
        try expectSound(archive)

        // In the midst of each timeline, and at the backup.
        let middles = ["00000001", "00000002"].compactMap { timeline in
            archive.segments.filter { $0.hasPrefix(timeline) }.dropFirst().first.map {
                ["--before", String($0.prefix(24))]
            }
        }
        #expect(middles.count == 2, "\(archive.names)")
        for rules in middles + [["--keep-from", backup]] {
            let before = archive.names
            let prune = try run("prune", archive, rules + ["--apply", "--json"])
            #expect(prune.status == 0 && prune.errorOutput == "", "\(prune)")
            #expect(before.count - archive.names.count == (try object(prune)["removedFiles"] as? Int), "\(prune)")
            #expect(before != archive.names, "\(rules)")
            // They stay, and are no beginning.
            #expect(Set(archive.names).isSuperset(of: partials + histories), "\(archive.names)")
            try expectSound(archive)
        }
        let restorable = try list(archive, ["--backup", backup])["restorable"] as? [[String: Any]]
        #expect(restorable?.first?["restorable"] as? Bool == true && restorable?.first?["timeline"] as? Int == 3)
        try cluster.stop()
    }

    // MARK: - Odd files

    @Test func `odd names are shown on one line, and forms that are not read here stay until they are named`() throws {
        let cluster = try Cluster.keepingWAL(.newest), archive = try WALArchive()
        let program = try archive.receive(from: cluster)
        try cluster.waitForStream(program)
        try cluster.finishSegments(6)
        try eventually("segments") { archive.segments.count >= 6 }
        #expect(program.stop().status == 0)
        let names = archive.segments
        try Program.check("/usr/bin/xz", ["\(archive.path)/\(names[1])"])
        try TestDirectory.write("", to: "\(archive.path)/two\nlines")
        let list = try run("list", archive, ["-v"])
        #expect(list.status == 0 && list.output.contains("\(names[1])  \(names[1])  1  "), "\(list)")
        #expect(list.output.contains("not readable here: .xz\n") && !list.output.contains("gaps"), "\(list)")
        #expect(list.output.contains(#"two\x0alines"#) && !list.output.contains("two\n"), "\(list)")
        let check = try run("check", archive)
        #expect(check.status == 1 && check.output.hasSuffix(": 1 not checked\n"), "\(check)")
        #expect(check.output.hasPrefix("\(names[1]).xz: not checked: .xz is not read here\n"), "\(check)")
        let kept = try run("prune", archive, ["--before", names[4], "--apply"])
        #expect(kept.output.contains("removed 1 file,") && kept.output.contains("(--suffix=.xz lets it go)"), "\(kept)")
        #expect(archive.names.filter { $0.hasPrefix(names[1]) } == ["\(names[1]).xz"])
        let told = try run("prune", archive, ["--before", names[4], "--apply", "--suffix=.xz"])
        #expect(told.output.contains("removed 3 files,"), "\(told)")
        #expect(archive.segments == Array(names.dropFirst(4)))
        try cluster.stop()
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
