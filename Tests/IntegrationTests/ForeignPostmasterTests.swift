import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Copies whose postmaster.pid names another process, whoever has put it there.
@Suite(.disabled(if: isStock)) struct ForeignPostmasterTests {
    /// A process of the servers' user, which it could end.
    private func bystander() throws -> Program { try Program("/bin/sleep", ["600"]) }

    /// Programs whose pg_ctl has a file written in place of a start, and goes on with `script`.
    private func programs(naming process: Int32, port: Int, then script: String) throws -> String {
        let directory = try TestDirectory.make("bin", mode: 0o755)
        let pgCtl = try PostgresInstallation.newest.program("pg_ctl")
        // Not written by this process: a child started meanwhile would hold it open, and it could not be executed.
        try Program.check(
            "/bin/sh", ["-c", "cat > \(directory)/pg_ctl && chmod 755 \(directory)/pg_ctl"],
            input: """
                #!/bin/sh
                case "$*" in *" start") ;; *) exec \(pgCtl) "$@" ;; esac
                printf '\(process)\\n%s\\n1\\n\(port)\\n\\n127.0.0.1\\n 1 2\\nready   \\n' "$2" > "$2/postmaster.pid"
                \(script)

                """)
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory)/psql", withDestinationPath: try PostgresInstallation.newest.program("psql"))
        return directory
    }

    private func start(_ primary: Cluster, _ target: String, _ programs: String) throws -> Program {
        var arguments = Command.clone.arguments(primary.connectionString(user: "r") + " password=s3cr3t", target)
        arguments += ["--start", "--standby-port", String(try Port.free()), "--bin-dir", programs]
        return try UnderstudyProgram.start(arguments)
    }

    private func primary() throws -> Cluster {
        var options = Cluster.Options()
        options.hostBasedAuthentication = ["host replication r 127.0.0.1/32 scram-sha-256"]
        let primary = try Cluster(.newest, options)
        try primary.makeReplicationRole("r", password: "s3cr3t")
        return primary
    }

    @Test func `nobody is asked, and the start has failed`() throws {
        let primary = try primary(), other = try bystander()
        // Asks for the password in clear.
        var question = ServerBytes()
        question.message("R", [0, 0, 0, 3])
        let answer = ScriptedServer.Answer(question.bytes)
        let listener = try ScriptedServer(startup: answer) { _ in answer }
        let target = TestDirectory.freshPath("standby")
        let programs = try programs(naming: other.processID, port: listener.port, then: "exit 0")
        let result = try start(primary, target, programs).wait()
        expectRefused(result, "names process \(other.processID)", "The copy is complete and kept")
        #expect(listener.logins == [])
        #expect(listener.passwords == [])
        #expect(other.isRunning)
        #expect(FileTree.exists("\(target)/PG_VERSION"))
    }

    @Test func `nobody is ended when the start is interrupted`() throws {
        let primary = try primary(), other = try bystander()
        let target = TestDirectory.freshPath("standby"), release = TestDirectory.freshPath("release")
        let programs = try programs(
            naming: other.processID, port: 1, then: "while test ! -e \(release); do sleep 0.02; done; exit 1")
        let program = try start(primary, target, programs)
        try eventually("the start: \(program.errorOutput)") {
            program.isRunning && FileTree.exists("\(target)/postmaster.pid")
        }
        program.send(SIGINT)
        try eventually("an answer: \(program.errorOutput)") { program.errorOutput.contains("cleaning up") }
        try TestDirectory.write("", to: release)
        let result = program.wait()
        #expect(result.status == 1, "\(result)")
        #expect(other.isRunning, "\(result)")
        #expect(!FileTree.exists(target), "\(result)")
    }
}
