import Foundation
import Testing
import UnderstudyTestSupport

/// `scripts/install` with the program that is tested, into a prefix that nobody else has.
@Suite(.disabled(if: isStock)) struct InstallScriptTests {
    private static let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    private func install(_ arguments: [String]) throws -> ProgramResult {
        try Program.run(
            "\(Self.source)/scripts/install", arguments, environment: UnderstudyProgram.environment, asCaller: true)
    }

    /// What lies below a directory, links with what they point at.
    private func files(_ path: String) -> Set<String> {
        Set(
            (FileManager.default.subpaths(atPath: path) ?? []).compactMap { name in
                if let target = try? FileTree.linkTarget("\(path)/\(name)") { return "\(name) -> \(target)" }
                let type = try? FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")[.type]
                return type as? FileAttributeType == .typeDirectory ? nil : name
            })
    }

    @Test func `all that a program has comes, works, and goes`() throws {
        let destination = try TestDirectory.make("destination"), prefix = "\(destination)/opt/under study"
        try TestDirectory.make(at: "\(destination)/opt")
        try TestDirectory.make(at: prefix)
        try TestDirectory.make(at: "\(prefix)/bin")
        try TestDirectory.write("", to: "\(prefix)/bin/other")
        let place = ["--destdir", destination, "--prefix=/opt/under study/"]
        let result = try install(place + ["--program", UnderstudyProgram.path])
        #expect(result.status == 0, "\(result)")
        let listed = try UnderstudyProgram.run(["help", "--list"]).output.split(separator: "\n").map {
            $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        }
        let pages = listed.map { "share/man/man1/understudy-\($0[0].replacing(" ", with: "-")).1" }
        let links = listed.flatMap { $0[1].split(separator: " ") }.map {
            "lib/understudy/\($0) -> ../../bin/understudy"
        }
        let guide = FileTree.names("\(Self.source)/docs/guide").map { "share/doc/understudy/guide/\($0)" }
        #expect(links.count == 4 && guide.contains("share/doc/understudy/guide/install.md"))
        #expect(
            files(prefix)
                == Set(
                    pages + links + guide + [
                        "bin/other", "bin/understudy", "share/man/man1/understudy.1",
                        "share/bash-completion/completions/understudy", "share/zsh/site-functions/_understudy",
                        "share/fish/vendor_completions.d/understudy.fish",
                        "lib/systemd/system/understudy-receivewal@.service", "share/doc/understudy/CHANGELOG.md",
                        "share/doc/understudy/LICENSE", "share/doc/understudy/installed",
                        "share/doc/understudy/examples/Containerfile",
                        "share/doc/understudy/examples/receivewal.conf",
                    ]))
        let environment = UnderstudyProgram.environment
        let version = try Program.run(
            "\(prefix)/lib/understudy/pg_receivewal", ["--version"], environment: environment, asCaller: true)
        #expect(version.output.hasPrefix("pg_receivewal (PostgreSQL) "))
        #expect(
            try FileTree.text("\(prefix)/share/man/man1/understudy-clone.1")
                == UnderstudyProgram.run(
                    ["help", "--man", "clone"], environment: ["SOURCE_DATE_EPOCH": try sourceDate()]
                ).output)
        let unit = try FileTree.text("\(prefix)/lib/systemd/system/understudy-receivewal@.service")
        #expect(unit.contains("\nExecStart=\"/opt/under study/bin/understudy\" receivewal "))
        // Its hook is not signalled beside it.
        #expect(unit.contains("\nKillMode=mixed\n") && unit.contains("\nTimeoutStopSec=90s\n"))

        // What an earlier version had, and this one has not.
        let old = "share/doc/understudy/more/old.md", list = "\(prefix)/share/doc/understudy/installed"
        try TestDirectory.make(at: "\(prefix)/share/doc/understudy/more")
        try TestDirectory.write("", to: "\(prefix)/\(old)")
        try TestDirectory.write(FileTree.text(list) + "\(old)\nshare/doc/understudy/more/\n", to: list)

        // A second time, over a program that runs.
        let program = "\(prefix)/bin/understudy"
        let running = try Program(program, ["help"], environment: environment, asCaller: true)
        // From where the caller stands, places are meant from there.
        let relative = ["--destdir", ".", "--prefix=/opt/under study", "--program", UnderstudyProgram.path]
        let second = try Program.run(
            "/bin/sh", ["-c", "cd '\(destination)' && exec \"$@\"", "sh", "\(Self.source)/scripts/install"] + relative,
            environment: environment, asCaller: true)
        #expect(second.status == 0 && second.output == "installed into \(destination)/opt/under study\n", "\(second)")
        #expect(running.wait().status == 0)
        #expect(!FileTree.exists("\(prefix)/\(old)"))
        #expect(try install(place + ["--uninstall"]).status == 0)
        #expect(files(prefix) == ["bin/other"])
        // Nor directories that it has made.
        #expect(FileTree.names(prefix) == ["bin"])
        #expect(try install(place + ["--uninstall"]).errorOutput.contains("there is no program"))
    }

    private func sourceDate() throws -> String {
        try Program.run("/usr/bin/git", ["-C", Self.source, "log", "-1", "--format=%ct"], asCaller: true).line
    }

    @Test(arguments: [
        ["--prefix", "usr"], ["--nope"], ["--prefix"], ["--program", "/nonexistent", "--prefix", "/x"],
        ["--prefix", "/a\"b"], ["--prefix", "/a$b"],
    ])
    func `what cannot be meant is refused, and nothing is written`(arguments: [String]) throws {
        let destination = try TestDirectory.make("destination")
        let result = try install(["--destdir", destination] + arguments)
        #expect(result.status == 1 && result.errorOutput != "", "\(result)")
        #expect(FileTree.names(destination) == [])
    }

    @Test func `a package without the notices of what it holds is refused`() throws {
        let tree = try TestDirectory.make("tree")
        try TestDirectory.make(at: "\(tree)/scripts")
        try TestDirectory.write(
            FileTree.text("\(Self.source)/scripts/package"), to: "\(tree)/scripts/package", mode: 0o755)
        let result = try Program.run("\(tree)/scripts/package", ["--program", UnderstudyProgram.path], asCaller: true)
        #expect(result.status == 1 && result.errorOutput.contains("notices"), "\(result)")
        #expect(FileTree.names(tree) == ["scripts"])
    }

    /// The unit as it is installed, with the program where it says.
    @Test(.enabled(if: FileTree.exists("/usr/bin/systemd-analyze"), "needs systemd"))
    func `systemd has nothing to say against the unit`() throws {
        let prefix = try TestDirectory.make("prefix", mode: 0o755)
        #expect(try install(["--prefix", prefix, "--program", UnderstudyProgram.path]).status == 0)
        let unit = "\(prefix)/lib/systemd/system/understudy-receivewal@.service"
        let verdict = try Program.run("/usr/bin/systemd-analyze", ["verify", "--man=no", unit], asCaller: true)
        #expect(verdict.status == 0, "\(verdict)")
        let lines = verdict.errorOutput.split(separator: "\n").filter { $0.contains("understudy") }
        #expect(lines == [], "\(verdict)")
        // Exposure in tenths: 0 to 10.0, "OK" is below 5.
        let security = try Program.run(
            "/usr/bin/systemd-analyze", ["security", "--offline=yes", "--threshold=30", unit], asCaller: true)
        #expect(security.status == 0, "\(security)")
    }
}
