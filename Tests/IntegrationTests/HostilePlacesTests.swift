import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// Servers that say where things go, and where they do not.
@Suite(.disabled(if: isStock)) struct HostilePlacesTests {
    // MARK: - Members

    /// As a file, as a directory, and as a link.
    private static func kinds(
        _ name: String, inTablespace: Bool = false, versions: [PlayedServer.Version] = PlayedServer.Version.allCases
    ) -> [Attack] {
        [
            ("file", TarBuilder.file(name, [1])), ("directory", TarBuilder.header("\(name)/", .type("5"))),
            ("link", TarBuilder.header(name, .type("2"), .link("/tmp"))),
        ].map { kind, bytes in
            Attack("\(name) as a \(kind)\(inTablespace ? " of a tablespace" : "")", versions: versions) {
                let index = inTablespace ? 0 : 1
                let trailer = $0.version.hasOneCopy ? 1024 : 0
                $0.archives[index].removeLast(trailer)
                $0.archives[index] += bytes + TarBuilder.zeros(trailer)
            }
        }
    }

    private static let members: [Attack] =
        kinds("postmaster.pid") + kinds("base/1/pgsql_tmp.understudy", versions: [.v12, .v16])
        + kinds("backup_manifest", versions: [.v14, .v16]) + kinds("tablespace_map", versions: [.v16])
        + kinds("authorized_keys", inTablespace: true) + kinds("PG_9.3_201306121", inTablespace: true, versions: [.v16])
        + kinds("PG_16_202307072", inTablespace: true, versions: [.v16])
        + kinds("PG_16_202307071/pgsql_tmp.understudy", inTablespace: true, versions: [.v16])
        + kinds("pg_wal/00000002.history", versions: [.v16])

    @Test(arguments: AttackOnVersion.all(members))
    func `a member that the server leaves out by its own rules is refused`(what: AttackOnVersion) async throws {
        try await expectRefused(what)
    }

    @Test(arguments: ["tablespace_map", "backup_manifest"])
    func `also where no manifest is wanted`(name: String) async throws {
        var played = PlayedServer(.v16)
        played.archives[1] = TarBuilder.header("\(name)/", .type("5")) + played.archives[1]
        let server = try played.serve()
        let around = try Surroundings()
        var backup = around.backup(server)
        backup.options.manifest = false
        let error = await #expect(throws: UnderstudyError.self) {
            try await backup.run(into: .directory(around.target))
        }
        #expect(error?.code == .protocolViolation)
        around.expectUntouched("\(String(describing: error))")
    }

    // MARK: - Timelines

    private static func history(_ text: String) -> ScriptedServer.Answer {
        var bytes = ServerBytes()
        bytes.rows(2, [["00000002.history", text]])
        bytes.ready()
        return .init(bytes.bytes)
    }

    @Test(arguments: PlayedServer.Version.allCases)
    func `an end on a timeline that nothing leads to is refused`(version: PlayedServer.Version) async throws {
        for text in ["1\t0/3000100\tno recovery target specified\n", "1\t0/2000000\tx\n", "1\t0/4000000\tx\n", "x"] {
            var played = PlayedServer(version)
            played.end = [["0/3000138", "2"]]
            played.answers["TIMELINE_HISTORY"] = Self.history(text)
            let server = try played.serve()
            let around = try Surroundings()
            let error = await #expect(throws: UnderstudyError.self) {
                try await around.backup(server).run(into: .directory(around.target))
            }
            #expect(error?.code == .protocolViolation)
            #expect(error?.message.contains("began the backup on timeline 1 and ended it on timeline 2") == true)
            around.expectUntouched("\(String(describing: error))")
        }
    }

    /// A standby that followed its primary's successor in mid-copy.
    @Test(arguments: PlayedServer.Version.allCases, [.stream, .fetch, BaseBackup.WALMethod.none])
    func `an end on a timeline that the WAL went to is none`(
        version: PlayedServer.Version, method: BaseBackup.WALMethod
    ) async throws {
        let text = "1\t0/3000100\tno recovery target specified\n"
        var played = PlayedServer(version)
        played.end = [["0/3000138", "2"]]
        played.answers["TIMELINE_HISTORY"] = Self.history(text)
        played.manifest = Attack.resealed(played.manifest) {
            $0.replacing(
                #"{ "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000138" }"#,
                with: #"{ "Timeline": 2, "Start-LSN": "0/3000100", "End-LSN": "0/3000138" },"#
                    + #" { "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000100" }"#)
        }
        var bytes = ServerBytes()
        bytes.copyBoth()
        bytes.wal(at: 0x300_0000, [UInt8](repeating: 0, count: 0x100))
        bytes.copyDone()
        let hold = bytes.bytes.count
        bytes.rows(2, [["2", "0/3000100"]])
        bytes.complete("START_STREAMING")
        bytes.ready()
        played.answers["START_REPLICATION 0/3000000 TIMELINE 1"] = .init(bytes.bytes, holdsFrom: hold)
        if method == .fetch {
            let trailer = version.hasOneCopy ? 1024 : 0
            played.archives[1].removeLast(trailer)
            played.archives[1] +=
                TarBuilder.file("pg_wal/00000002.history", Array(text.utf8)) + TarBuilder.zeros(trailer)
        }
        let server = try played.serve()
        let around = try Surroundings()
        var backup = around.backup(server)
        backup.options.wal = method
        backup.options.slot = .none
        let result = try await backup.run(into: .directory(around.target))
        #expect(result.timeline.rawValue == 2)
    }

    // MARK: - Tablespaces that no mapping names

    private func serve(at location: String) throws -> ScriptedServer {
        var played = PlayedServer(.v16)
        played.tablespaces[0][1] = location
        played.archiveNames[0].1 = location
        return try played.serve()
    }

    private func arguments(_ server: ScriptedServer, _ target: String) -> [String] {
        Command.basebackup.arguments(
            "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable", target)
    }

    @Test func `a place of the system is refused, by its name or by a link, with the line that allows it`() throws {
        let parent = try TestDirectory.make("parent", mode: 0o755)
        try FileManager.default.createSymbolicLink(atPath: "\(parent)/link", withDestinationPath: "/etc")
        for location in ["/etc/understudy=test/x", "/usr/local/understudy-test", "\(parent)/link/understudy-test"] {
            let server = try serve(at: location)
            let result = try UnderstudyProgram.run(arguments(server, "\(parent)/target"))
            #expect(result.status == 1)
            #expect(
                result.errorOutput.contains(
                    "tablespace directory \"\(location)\" lies in \"\(location.contains("usr") ? "/usr" : "/etc")\""),
                "\(result)")
            let word = location.replacing("=", with: "\\=")
            #expect(result.errorOutput.contains("--tablespace-mapping=\(word)=\(word)"), "\(result)")
            #expect(!FileTree.exists(location))
        }
        #expect(FileTree.names(parent) == ["link"])
    }

    @Test func `other places are named before the copy, but through a link, which has the stock tool's words`() throws {
        let parent = try TestDirectory.make("parent", mode: 0o755)
        let location = "\(parent)/space"
        let server = try serve(at: location)
        let said = "tablespaces without a mapping go where they are on the primary: \"\(location)\""
        let own = try UnderstudyProgram.run(arguments(server, "\(parent)/own"))
        #expect(own.status == 0 && own.errorOutput.contains(said), "\(own)")
        let name = "\(try TestDirectory.make("links", mode: 0o755))/pg_basebackup"
        try FileManager.default.createSymbolicLink(atPath: name, withDestinationPath: UnderstudyProgram.path)
        for (number, verbose) in [false, true].enumerated() {
            try FileManager.default.removeItem(atPath: location)
            let link = try Program.run(
                name, Array(arguments(server, "\(parent)/\(number)").dropFirst()) + (verbose ? ["-v"] : []),
                environment: UnderstudyProgram.environment)
            #expect(link.status == 0 && !link.errorOutput.contains(said), "\(link)")
        }
        #expect(FileTree.names(location) == [PlayedServer.Version.v16.spaceDirectory])
    }

    // MARK: - What was there

    @Test func `directories that were there keep their modes, as with the stock tool`() throws {
        let parent = try TestDirectory.make("parent", mode: 0o755)
        for name in ["target", "wal", "space"] { try TestDirectory.make(at: "\(parent)/\(name)", mode: 0o755) }
        for isMapped in [false, true] {
            let server = try serve(at: isMapped ? "/srv/space" : "\(parent)/space")
            let result = try UnderstudyProgram.run(
                arguments(server, "\(parent)/target") + ["--waldir", "\(parent)/wal"]
                    + (isMapped ? ["-T", "/srv/space=\(parent)/space"] : []))
            #expect(result.status == 0, "\(result)")
            #expect(result.errorOutput.contains("keeps its mode 0755"), "\(result)")
            for name in ["target", "wal", "space"] {
                // The stock tool gives the WAL directory the mode of the server's.
                #expect(try FileTree.mode("\(parent)/\(name)") == (name == "wal" ? 0o700 : 0o755), "\(name)")
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(parent)/\(name)")
                for entry in FileTree.names("\(parent)/\(name)") {
                    try FileManager.default.removeItem(atPath: "\(parent)/\(name)/\(entry)")
                }
            }
        }
    }

    /// No server starts otherwise.
    @Test func `the data directory of a clone gets the mode of a data directory`() throws {
        let primary = try Cluster(.newest)
        let target = try TestDirectory.make("target", mode: 0o755)
        _ = try clone(primary, to: target, ["--no-slot"])
        #expect(try FileTree.mode(target) == 0o700)
    }

    // MARK: - --force-clean

    /// Leaves a data directory and a tablespace of a run that has ended, with their marks, and a file of somebody's.
    private func leaveBehind(_ parent: String) throws {
        var played = PlayedServer(.v16)
        played.archives[1] += TarBuilder.file("../x", [1])
        let server = try played.serve()
        let result = try UnderstudyProgram.run(
            arguments(server, "\(parent)/other") + ["--no-clean", "-T", "/srv/space=\(parent)/victim"])
        try #require(result.status == 1, "\(result)")
        try #require(FileTree.exists("\(parent)/victim/pgsql_tmp.understudy"), "\(result)")
        try TestDirectory.write("precious", to: "\(parent)/victim/precious")
    }

    @Test func `a place that the server names is never cleared`() throws {
        let parent = try TestDirectory.make("parent", mode: 0o755)
        try leaveBehind(parent)
        let before = FileTree.snapshot(parent)
        let server = try serve(at: "\(parent)/victim")
        let result = try UnderstudyProgram.run(arguments(server, "\(parent)/target") + ["--force-clean"])
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("The server has named that place, and not this command"), "\(result)")
        #expect(FileTree.snapshot(parent) == before, "\(result)")
    }

    @Test func `a place that the user names is cleared, and no other of that run`() throws {
        let parent = try TestDirectory.make("parent", mode: 0o755)
        try leaveBehind(parent)
        let before = FileTree.snapshot("\(parent)/other")
        let server = try serve(at: "\(parent)/victim")
        let mapping = "\(parent)/victim=\(parent)/victim"
        let result = try UnderstudyProgram.run(
            arguments(server, "\(parent)/target") + ["--force-clean", "-T", mapping])
        #expect(result.status == 0, "\(result)")
        #expect(FileTree.names("\(parent)/victim") == [PlayedServer.Version.v16.spaceDirectory])
        #expect(FileTree.snapshot("\(parent)/other") == before)
        // The other way round: the data directory of that run, named as a place of a tablespace.
        try leaveBehindAgain(parent)
        let victim = FileTree.snapshot("\(parent)/victim")
        let other = try serve(at: "/srv/space")
        let again = try UnderstudyProgram.run(
            arguments(other, "\(parent)/third")
                + ["--force-clean", "-T", "/srv/space=\(parent)/other"])
        #expect(again.status == 0, "\(again)")
        #expect(FileTree.snapshot("\(parent)/victim") == victim)
    }

    private func leaveBehindAgain(_ parent: String) throws {
        for name in ["other", "victim", "target"] { try FileManager.default.removeItem(atPath: "\(parent)/\(name)") }
        try leaveBehind(parent)
    }
}
