import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// A pipe that is full from the start, and that nobody reads until the test does.
private final class FullPipe: Sendable {
    private let reader: CInt
    /// By this path a child opens it for writing.
    let path: String
    private let keep: CInt

    init() throws {
        path = TestDirectory.freshPath("pipe")
        try #require(unsafe mkfifo(path, 0o600) == 0)
        try Account.own(path)
        reader = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        keep = unsafe open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        try #require(reader >= 0 && keep >= 0)
        // One page: F_SETPIPE_SZ.
        _ = fcntl(keep, 1031, 4096)
        let page = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
        while unsafe Glibc.write(keep, page, page.count) > 0 {}
    }

    deinit {
        close(reader)
        close(keep)
    }

    /// What is in it now.
    func take() -> String {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        // At most the buffer is filled.
        let count = unsafe read(reader, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}

@Suite struct FullPipeTests {
    /// Starts the program with both streams in the pipe.
    private func start(_ pipe: FullPipe, _ arguments: [String]) throws -> Program {
        try Program(
            "/bin/sh", ["-c", "exec \"$@\" >>\(pipe.path) 2>&1", "sh", UnderstudyProgram.path] + arguments,
            environment: UnderstudyProgram.environment)
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `a pipe that nobody reads holds up neither WAL nor the end`(signal: Int32) throws {
        let cluster = try Cluster(PostgresInstallation.newest)
        let archive = try WALArchive(), pipe = try FullPipe()
        let program = try start(
            pipe,
            [
                "receivewal", "-d", cluster.connectionString(), "-D", archive.path, "-w", "-v", "--synchronous",
                "--progress=json",
            ])
        try eventually("a WAL sender") { try cluster.holds("SELECT count(*) = 1 FROM pg_stat_replication") }
        for _ in 0..<3 {
            _ = try cluster.sql("SELECT pg_switch_wal()")
            _ = try cluster.sql("CREATE TABLE IF NOT EXISTS filler (number int); INSERT INTO filler VALUES (1)")
        }
        try eventually("everything flushed") {
            try cluster.holds("SELECT bool_and(flush_lsn = pg_current_wal_flush_lsn()) FROM pg_stat_replication")
        }
        #expect(program.isRunning)
        program.send(signal)
        #expect(program.wait().status == 0)
    }

    @Test func `who reads at last is told how it ended`() throws {
        let pipe = try FullPipe()
        let program = try start(
            pipe, ["basebackup", "-d", "host=127.0.0.1 port=1 user=r", "-D", TestDirectory.freshPath("target"), "-v"])
        var text = ""
        try eventually("the error") {
            text += pipe.take()
            return text.contains("error: ") && text.contains("hint: ")
        }
        #expect(program.wait().status == 1)
    }

    @Test(
        arguments: [
            ["basebackup", "-P", "-v", "-d"], ["basebackup", "--progress=json", "-v", "-d"],
            ["clone", "--progress=json", "-v", "--primary"],
        ])
    func `progress to a pipe that nobody reads holds up no copy`(arguments: [String]) throws {
        let cluster = try Cluster(PostgresInstallation.newest)
        let pipe = try FullPipe(), target = TestDirectory.freshPath("target")
        let program = try start(
            pipe, arguments + [cluster.connectionString(), "-D", target, "--checkpoint=fast", "-w"])
        #expect(program.wait().status == 0)
        #expect(FileTree.exists("\(target)/backup_manifest"))
    }
}
