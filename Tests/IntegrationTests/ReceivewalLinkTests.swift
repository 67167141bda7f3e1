import Foundation
import Testing
import UnderstudyTestSupport

/// Links by which the program is the stock tool, for callers that know no other.
@Suite(.disabled(if: isStock)) struct ReceivewalLinkTests {
    private static let names = ["pg_receivewal", "pg_receivexlog"]

    private func link(_ name: String) throws -> String {
        let path = "\(try TestDirectory.make("links", mode: 0o755))/\(name)"
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: UnderstudyProgram.path)
        return path
    }

    private func run(_ name: String, _ arguments: [String]) throws -> ProgramResult {
        try Program.run(try link(name), arguments, environment: UnderstudyProgram.environment)
    }

    @Test(arguments: names)
    func `a link tells its version as the stock tool does`(name: String) throws {
        for option in ["--version", "-V"] {
            let result = try run(name, [option])
            #expect(result.status == 0, "\(result)")
            #expect(result.line.hasPrefix("\(name) (PostgreSQL) "), "\(result)")
            #expect(try #require(result.line.split(separator: " ").dropFirst(2).first.flatMap { Double($0) }) >= 18)
        }
    }

    /// Each of these ends the stock tool, too.
    private static let refusals: [([String], String)] = [
        ([], "no target directory specified"), (["--nope"], "--nope"), (["-D", "x", "y"], "too many command-line"),
        (["--create-slot"], "needs a slot"), (["--drop-slot"], "needs a slot"),
        (["-S", "s", "--create-slot", "--drop-slot"], "--drop-slot"),
        (["-D", "x", "--synchronous", "--no-sync"], "--no-sync"), (["-D", "x", "-E", "nowhere"], "end position"),
    ]

    @Test(arguments: names, refusals)
    func `a link refuses what the stock tool refuses, in its words`(name: String, refusal: ([String], String)) throws {
        let ours = try run(name, refusal.0)
        let stock = try Program.run(try PostgresInstallation.newest.program("pg_receivewal"), refusal.0)
        #expect(ours.status == stock.status, "\(ours)\n\(stock)")
        #expect(ours.errorOutput.contains(refusal.1), "\(ours)")
        // getopt_long names the program by its path.
        let first = try #require(ours.errorOutput.split(separator: ": ", maxSplits: 1).first)
        #expect(first == name || first.hasSuffix("/\(name)"), "\(ours)")
        func message(_ result: ProgramResult) -> Substring? {
            result.errorOutput.prefix { $0 != "\n" }.split(separator: ": ", maxSplits: 1).last
        }
        #expect(message(ours) == message(stock))
    }

    @Test func `what the server or libpq refuses is said in the stock tool's words`() throws {
        let cluster = try Cluster(.newest)
        try cluster.makeSlot("there")
        let lines = [
            ["-D", cluster.directory, "-d", "foo=bar"],
            ["--create-slot", "-S", "there", "--if-not-exists", "-v"],
        ]
        let environment = UnderstudyProgram.environment.merging([
            "PGHOST": cluster.socketDirectory, "PGPORT": "\(cluster.port)", "PGUSER": "postgres",
        ]) { $1 }
        for line in lines {
            let ours = try Program.run(try link("pg_receivewal"), line, environment: environment)
            let stock = try Program.run(
                try PostgresInstallation.newest.program("pg_receivewal"), line, environment: environment)
            #expect(ours.status == stock.status, "\(line): \(ours)\n\(stock)")
            func said(_ result: ProgramResult) -> [Substring] {
                result.errorOutput.split(separator: "\n").filter { !$0.contains(": hint: ") }
            }
            #expect(said(ours) == said(stock), "\(line)")
        }
    }

    @Test(arguments: pairs(PostgresInstallation.outermost, names))
    func `a link receives WAL with the stock tool's lines and exit status`(
        installation: PostgresInstallation, name: String
    ) throws {
        let cluster = try Cluster.keepingWAL(installation)
        let program = try link(name)
        let environment = UnderstudyProgram.environment.merging(["PGPORT": String(cluster.port)]) { $1 }
        let server = ["-h", "127.0.0.1", "-U", "postgres"]
        var result = try Program.run(
            program, server + ["--create-slot", "--slot=archive", "--if-not-exists"], environment: environment)
        #expect(result.status == 0 && result.errorOutput == "", "\(result)")
        let archive = try WALArchive()
        let receiver = try Program(
            program, server + ["-D", archive.path, "-vS", "archive", "-Z0"], environment: environment)
        try cluster.waitForStream(receiver)
        try archive.wait(for: try cluster.finishSegment(), receiver)
        try cluster.writeWAL(kilobytes: 100)
        try cluster.waitForFlush(of: try cluster.position(), receiver)
        result = receiver.stop(SIGINT)
        #expect(result.status == 0, "\(result)")
        let partial = try #require(archive.partials.first)
        for line in [
            "\(name): starting log streaming at ", "\(name): finished segment at ",
            "\(name): received interrupt signal, exiting\n",
            "\(name): not renaming \"\(partial)\", segment is not complete\n",
        ] { #expect(result.errorOutput.contains(line), "\(result)") }
        result = try Program.run(program, server + ["--drop-slot", "--slot=archive"], environment: environment)
        #expect(result.status == 0 && result.errorOutput == "", "\(result)")
        #expect(try cluster.slots() == [])
    }
}
