import Foundation
import Testing
import UnderstudyTestSupport

/// Every system call that touches a directory of the run fails once, as on a disk that breaks: strace(1) has the
/// kernel answer in place of the disk.
@Suite(.disabled(if: isStock), .enabled(if: DiskFault.canInject, "strace cannot trace here"))
struct DiskFaultTests {
    /// How the run makes files durable; each uses other calls.
    enum Syncing: String, CaseIterable, Sendable {
        case syncfs, fsync
    }

    @Test(arguments: DiskFault.all, Syncing.allCases)
    func `a call that fails ends the run, which names the path and leaves nothing`(
        fault: DiskFault, syncing: Syncing
    ) throws {
        for count in 1...1000 {
            let run = try FaultyRun(["--sync-method", syncing.rawValue], onDisk: true)
            let (result, trace) = try run.result(
                fault.injection(at: count), on: fault.isMadeElsewhere ? run.directories : [])
            guard trace.contains("(INJECTED)") else {
                // Fewer calls than that are made: the run was not disturbed.
                #expect(result.status == 0, "\(result)")
                #expect(count > 1 || fault.mayBeAbsent, "\(fault) is never called")
                return
            }
            let comment: Comment = "call \(count)\n\(result)\n\(trace)"
            #expect(result.status == 1, comment)
            #expect(result.errorOutput.contains("error: "), comment)
            #expect(result.errorOutput.contains("\"\(run.parent)"), comment)
            #expect(result.errorOutput.contains(fault.text), comment)
            run.expectNothingLeft(comment)
        }
        Issue.record("\(fault) has no end")
    }

    /// As on a network file system, which writes when a file is closed.
    @Test(arguments: [
        "deep/target/base/1/1", "deep/target/global/pgsql_tmp.understudy.new_pg_control",
        "deep/target/pgsql_tmp.understudy.backup_manifest",
        "wal/000000010000000000000003",
    ])
    func `a close that fails ends a run without syncs, too`(file: String) throws {
        let run = try FaultyRun(["--no-sync"], onDisk: true)
        let (result, trace) = try run.result(
            ["trace=close", "inject=close:error=ENOSPC"], on: ["\(run.parent)/\(file)"])
        let comment: Comment = "\(result)\n\(trace)"
        #expect(trace.contains("(INJECTED)"), comment)
        expectRefused(result, "could not close file \"", "No space left on device")
        run.expectNothingLeft(comment)
    }

    @Test func `what cannot be removed is named`() throws {
        let run = try FaultyRun(["--sync-method", "syncfs"], onDisk: true)
        // The last of the small files fails the run, and then nothing can be unlinked.
        let (result, trace) = try run.result([
            "trace=unlinkat,fdatasync,syncfs", "inject=syncfs:error=EIO", "inject=unlinkat:error=EIO",
        ])
        #expect(trace.contains("(INJECTED)"))
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("could not synchronize file system"), "\(result)")
        #expect(result.errorOutput.contains("could not clean up: could not remove \"\(run.parent)/"), "\(result)")
        // So the next run finds what is there, and can remove it.
        let again = try UnderstudyProgram.run(run.arguments)
        expectRefused(again, "holds an unfinished base backup", "--force-clean")
        let cleaned = try UnderstudyProgram.run(run.arguments + ["--force-clean"])
        #expect(cleaned.status == 0, "\(cleaned)")
    }
}

/// One system call that fails, and how.
struct DiskFault: Sendable, CustomTestStringConvertible, CustomStringConvertible {
    var call: String
    var error: String
    /// How strerror(3) says it.
    var text: String
    /// Not every way of writing makes this call.
    var mayBeAbsent = false
    /// Whether all later calls fail as well.
    var isLasting = false

    var description: String { "\(call) fails with \(error)" }
    var testDescription: String { description }

    /// Whether the loader, the C library or libpq make this call, too.
    var isMadeElsewhere: Bool { ["openat", "getdents64"].contains(call) }

    /// strace's options for a failure of each thread's call of that number.
    func injection(at count: Int) -> [String] {
        ["trace=\(call)", "inject=\(call):error=\(error):when=\(count)\(isLasting ? "+" : "")"]
    }

    static let all: [DiskFault] = {
        var all = [
            "openat", "openat2", "mkdir", "mkdirat", "pwrite64", "fallocate", "symlinkat", "renameat", "unlinkat",
            "getdents64", "fchmod",
        ].map { DiskFault(call: $0, error: "EIO", text: "Input/output error") }
        all += ["syncfs", "fsync", "fdatasync"].map {
            DiskFault(call: $0, error: "EIO", text: "Input/output error", mayBeAbsent: true)
        }
        all += ["mkdir", "mkdirat", "openat2", "pwrite64", "fallocate", "symlinkat"].map {
            DiskFault(call: $0, error: "ENOSPC", text: "No space left on device")
        }
        return all
    }()

    static let canInject: Bool = {
        let result = try? Program.run(
            "/usr/bin/strace", ["-qq", "-f", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", "/bin/true"])
        return result?.status == 0
    }()
}

/// A backup of a small server that is played, into an absent directory, a WAL directory, and a tablespace's that
/// was there.
struct FaultyRun {
    let parent: String
    let arguments: [String]
    private let server: ScriptedServer
    private let before: [String]

    init(_ options: [String] = [], onDisk: Bool = false) throws {
        var played = PlayedServer(.v16)
        // Modes that the umask may change have to be set.
        played.directoryMode = [["0750"]]
        server = try played.serve()
        parent = onDisk ? try TestDirectory.makeOnDisk("parent") : try TestDirectory.make("parent")
        try TestDirectory.make(at: "\(parent)/mapped", mode: 0o755)
        before = FileTree.snapshot(parent)
        arguments =
            [
                "basebackup", "-d", "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable",
                "-D", "\(parent)/deep/target", "-T", "/srv/space=\(parent)/mapped", "--waldir", "\(parent)/wal",
                "-R", "-C", "-S", "standby1",
            ] + options
    }

    /// The run's own directories, and those above that it lists or syncs.
    var directories: [String] { ["", "/mapped", "/wal", "/deep", "/deep/target"].map { parent + $0 } }

    /// Runs it under strace with these expressions.
    ///
    /// - Parameter paths: Counts calls on these alone, and none on what lies in them; all calls if empty.
    func result(
        _ expressions: [String], on paths: [String] = [], _ more: [String] = []
    ) throws -> (ProgramResult, trace: String) {
        let trace = TestDirectory.freshPath("trace")
        let result = try Program.run(
            "/usr/bin/strace",
            ["-f", "-qq", "-y", "-o", trace] + paths.flatMap { ["-P", $0] } + expressions.flatMap { ["-e", $0] }
                + [UnderstudyProgram.path] + arguments + more, environment: UnderstudyProgram.environment)
        return (result, try FileTree.text(trace))
    }

    func expectNothingLeft(_ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(FileTree.snapshot(parent) == before, comment, sourceLocation: sourceLocation)
        let made = server.commands.contains { $0.hasPrefix("CREATE_REPLICATION_SLOT \"standby1\"") }
        let dropped = server.commands.contains { $0.hasPrefix("DROP_REPLICATION_SLOT \"standby1\"") }
        #expect(made == dropped, "\(server.commands)\n\(comment)", sourceLocation: sourceLocation)
    }
}
