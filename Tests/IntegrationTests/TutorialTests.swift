import Foundation
import Testing
import UnderstudyTestSupport

/// The page that replaces the tutorial, followed to its end on every server version: from initdb to the old primary that came
/// back.
@Suite(.disabled(if: isStock)) struct TutorialTests {
    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("docs/guide/five-minutes.md").path

    /// A block of commands, and on which of the two machines it is to be run.
    private struct Step {
        var commands: String
        var isOnSecond: Bool
    }

    /// The blocks of the page; each belongs to the machine that was named last before it.
    private static func steps() throws -> [Step] {
        var text = Substring(try String(contentsOfFile: page, encoding: .utf8))
        var steps: [Step] = []
        while let begin = text.range(of: "```sh\n"), let end = text[begin.upperBound...].range(of: "\n```") {
            let before = text[..<begin.lowerBound]
            let first = before.range(of: "first machine", options: .backwards)?.lowerBound ?? text.startIndex
            let second = before.range(of: "second machine", options: .backwards)?.lowerBound ?? text.startIndex
            steps.append(Step(commands: String(text[begin.upperBound..<end.lowerBound]), isOnSecond: second > first))
            text = text[end.upperBound...]
        }
        return steps
    }

    /// Both machines, as two servers of this one.
    private struct Machines {
        let installation: PostgresInstallation
        let home: String
        let ports: (first: Int, second: Int)

        init(_ installation: PostgresInstallation) throws {
            self.installation = installation
            home = try TestDirectory.make("tutorial", mode: 0o755)
            ports = (try Port.free(), try Port.free())
            for path in ["srv", "bin"] { try Program.check("/bin/mkdir", ["\(home)/\(path)"]) }
            try Program.check("/bin/ln", ["-s", UnderstudyProgram.path, "\(home)/bin/understudy"])
        }

        func run(_ step: Step) throws -> ProgramResult {
            let commands = step.commands.replacing("/srv/", with: "\(home)/srv/")
                .replacing("pg_ctl -D \(home)/srv/primary -l", with: configure + "pg_ctl -D \(home)/srv/primary -l")
                .replacing("host=10.0.0.1", with: "host=127.0.0.1 port=\(ports.first)")
                .replacing("10.0.0.2", with: "127.0.0.1")
                .replacing("--start", with: "--start -c fast --standby-port \(ports.second)")
            return try Program(
                "/bin/bash", ["-eo", "pipefail", "-c", commands],
                environment: UnderstudyProgram.environment.merging([
                    "PATH": "\(home)/bin:\(installation.programs):/usr/bin:/bin",
                    "PGHOST": "\(home)", "PGPORT": "\(step.isOnSecond ? ports.second : ports.first)",
                    // In place of somebody who types it.
                    "PGPASSWORD": "typed", "UNDERSTUDY_ROLE_PASSWORD": "typed",
                ]) { $1 }
            ).wait()
        }

        /// What two machines would have by themselves: ports, and a place for sockets.
        private var configure: String {
            "printf \"port = \(ports.first)\\nunix_socket_directories = '\(home)'\\nfsync = off\\n\" >> \(home)/srv/primary/postgresql.conf\n"
        }

        func stop() {
            for name in ["primary", "standby"] where FileTree.exists("\(home)/srv/\(name)/postmaster.pid") {
                _ = try? Program.run(
                    installation.program("pg_ctl"), ["-D", "\(home)/srv/\(name)", "-m", "immediate", "-w", "stop"])
            }
        }
    }

    @Test(arguments: PostgresInstallation.all)
    func `the page leads from nothing to a standby, and on to a promoted one`(installation: PostgresInstallation) throws
    {
        let machines = try Machines(installation)
        defer { machines.stop() }
        let steps = try Self.steps()
        #expect(steps.map(\.isOnSecond) == [false, false, true, false, true, true, true])
        var last: ProgramResult?
        for (index, step) in steps.enumerated() {
            let isLast = index == steps.count - 1
            if isLast {
                // The first server comes back.
                try Program.check(
                    installation.program("pg_ctl"),
                    ["-D", "\(machines.home)/srv/primary", "-l", "\(machines.home)/srv/primary.log", "-w", "restart"])
            }
            let result = try machines.run(step)
            #expect(result.status == (isLast ? 1 : 0), "\(step.commands)\n\(result)")
            if step.commands.contains("TABLE hello\"") { #expect(result.output.contains("world"), "\(result)") }
            last = result
        }
        let verdict = try #require(last).output
        #expect(verdict.contains("is no standby") && verdict.contains("on the older timeline 1"), "\(verdict)")
        let promoted = try Cluster(running: "\(machines.home)/srv/standby", installation)
        #expect(try promoted.sql("INSERT INTO hello VALUES ('again'); SELECT count(*) FROM hello") == "2")
    }
}
