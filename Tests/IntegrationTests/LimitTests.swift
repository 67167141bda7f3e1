import Foundation
import Testing
import UnderstudyTestSupport

/// Runs that may have few threads, few open files or little memory: they do all or say what they lack.
@Suite(.enabled(if: Account.isRoot, "limits are set for a user who has no other process, by root"))
struct LimitTests {
    private let cluster: Cluster
    private let parent: String

    init() throws {
        cluster = try Cluster(PostgresInstallation.newest)
        parent = try TestDirectory.make("limits", mode: 0o777)
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: parent)
    }

    /// A command, and what it leaves if it succeeds.
    private func commands(_ directory: String) -> [[String]] {
        let source = "host=127.0.0.1 port=\(cluster.port) user=postgres"
        let receive = ["receivewal", "-d", source, "-D", directory, "-w", "-n", "--endpos=0/1000"]
        return [
            ["basebackup", "-d", source, "-D", "\(directory)/backup", "-w", "-c", "fast"],
            ["clone", "--primary", source, "-D", "\(directory)/clone", "-w", "--checkpoint=fast", "--no-slot"],
            receive, receive + ["-Z", "gzip"], receive + ["-Z", "lz4"], receive + ["-Z", "zstd:22"], ["--version"],
        ]
    }

    /// - Returns: How many of the commands succeeded.
    private func run(_ limit: String, _ number: Int, words: [String]) throws -> Int {
        var successes = 0
        for index in commands("").indices {
            let directory = "\(parent)/\(number)-\(index)"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory)
            // Nobody else's processes count.
            let user = "--reuid=\(910_000 + number % 10_000)"
            let result = try Program.run(
                "/usr/bin/setpriv",
                [user, "--regid=910000", "--clear-groups", "--", "/usr/bin/prlimit", "\(limit)=\(number)"]
                    + [UnderstudyProgram.path] + commands(directory)[index],
                environment: UnderstudyProgram.environment, bound: .seconds(60), asCaller: true)
            if result.status == 0 {
                successes += 1
                continue
            }
            // The loader's words where not even the libraries can be opened.
            let isLoaded = result.status != 127
            #expect(result.status == 1 || !isLoaded, "\(limit)=\(number) \(result)")
            guard isLoaded else { continue }
            #expect(result.errorOutput.contains("error: "), "\(limit)=\(number) \(result)")
            #expect(words.contains { result.errorOutput.contains($0) }, "\(limit)=\(number) \(result)")
            #expect(result.errorOutput.contains("ulimit"), "\(limit)=\(number) \(result)")
            #expect(FileTree.names(directory).allSatisfy { $0.hasSuffix(".partial") }, "\(FileTree.names(directory))")
        }
        return successes
    }

    @Test func `without threads a run is an error, never a crash`() throws {
        let successes = try [1, 3, 5, 7, 16].map {
            try run("--nproc", $0, words: ["could not start thread"])
        }
        #expect(successes.first == 1)
        #expect(successes.last == 7)
    }

    @Test func `without descriptors a run is an error, never a crash`() throws {
        let successes = try [4, 8, 11, 13, 22, 24, 40].map {
            try run("--nofile", $0, words: ["Too many open files"])
        }
        #expect(successes.last == 7)
    }

    #if HTTP
    @Test func `without descriptors nothing listens, and that is an error`() throws {
        for number in [6, 8, 10, 14] {
            let result = try Program.run(
                "/usr/bin/prlimit",
                ["--nofile=\(number)", UnderstudyProgram.path, "receivewal", "-D", parent, "-w", "-n", "--listen=0"],
                environment: UnderstudyProgram.environment, bound: .seconds(60))
            #expect(result.status == 1 && result.errorOutput.contains("Too many open files"), "\(number) \(result)")
        }
    }
    #endif

    @Test(
        .disabled(
            if: ProcessInfo.processInfo.environment["UNDERSTUDY_SANITIZER"] != nil,
            "a sanitizer needs more address space itself"))
    func `without memory a run is an error, never a crash`() throws {
        let successes = try [100, 200, 300, 1000].map {
            try run("--as", $0 * 1_000_000, words: ["MB of memory", "emory"])
        }
        #expect(successes.first == 1)
        #expect(successes.last == 7)
    }

    @Test func `where files may not grow a run is an error, and not killed`() throws {
        #expect(try run("--fsize", 600_000, words: ["File too large"]) < 7)
    }

    @Test func `a running archiver needs no further thread, and waits for one if it has none to connect again`() throws
    {
        let directory = "\(parent)/running"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory)
        let user = ["--reuid=909999", "--regid=910000", "--clear-groups", "--"]
        let program = try Program(
            "/usr/bin/setpriv",
            user + [
                UnderstudyProgram.path, "receivewal", "-d", "host=127.0.0.1 port=\(cluster.port) user=postgres", "-D",
                directory, "-w", "-v",
            ], environment: UnderstudyProgram.environment, asCaller: true)
        try eventually("the stream") { try cluster.holds("SELECT count(*) = 1 FROM pg_stat_replication") }
        func limit(_ number: Int) throws {
            try Program.check(
                "/usr/bin/setpriv",
                user + ["/usr/bin/prlimit", "--pid=\(program.processID)", "--nproc=\(number):500"], asCaller: true)
        }
        try limit(1)
        for _ in 0..<3 {
            _ = try cluster.sql("CREATE TABLE IF NOT EXISTS filler (number int); INSERT INTO filler VALUES (1)")
            _ = try cluster.sql("SELECT pg_switch_wal()")
        }
        try eventually("three segments: \(FileTree.names(directory))") {
            FileTree.names(directory).count { $0.count == 24 } >= 3
        }
        _ = try cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
        try eventually("the stream or the shortage: \(program.errorOutput)") {
            program.errorOutput.contains("could not start thread")
                || program.errorOutput.components(separatedBy: "starting log streaming").count == 3
        }
        try limit(400)
        try eventually("the stream again") { try cluster.holds("SELECT count(*) = 1 FROM pg_stat_replication") }
        program.send(2)
        #expect(program.wait().status == 0)
    }
}
