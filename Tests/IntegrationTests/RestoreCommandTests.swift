import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// `restore-wal` as a server's shell runs it: in a data directory, which it may take for that of a server in recovery.
@Suite(.disabled(if: isStock)) struct RestoreCommandTests {
    private static let name = "000000010000000000000003"
    private let data: String
    /// It has one file, which is no segment.
    private let archive: String

    init() throws {
        data = try TestDirectory.make("data")
        archive = try TestDirectory.make("wal")
        try TestDirectory.make(at: "\(data)/pg_wal")
        try TestDirectory.write("16\n", to: "\(data)/PG_VERSION")
        try TestDirectory.write("", to: "\(data)/recovery.signal")
        try TestDirectory.write("", to: "\(archive)/000000010000000000000002")
    }

    /// - Parameter line: What stands behind `understudy`, for a shell.
    private func start(_ line: String, in directory: String? = nil, under: String = "exec") throws -> Program {
        try Program(
            "/bin/sh",
            ["-c", "cd \(directory ?? data) && \(under) \(UnderstudyProgram.path) \(line)"],
            environment: UnderstudyProgram.environment)
    }

    // MARK: - Command lines

    @Test func `a line that is wrong stops a recovery, and does not end it`() throws {
        let place = "-D \(archive) \(Self.name) pg_wal/RECOVERYXLOG"
        let notUTF8 = #"$(printf '\377')"#
        for (line, words) in [
            ("restore-wall \(place)", "unrecognized command \"restore-wall\""),
            (
                "restore-wal --retry-time=0 -D \(archive) %f pg_wal/RECOVERYXLOG",
                "In restore_command, %f stands for the file."
            ),
            ("restore-wal -D \(archive)\(notUTF8) \(Self.name) pg_wal/RECOVERYXLOG", "argument 3 is not valid UTF-8"),
            ("restore-wal -D \(archive) \(Self.name)", "no path for the file specified"),
            ("\(notUTF8) \(place)", "not valid UTF-8"), ("", "no command specified"),
        ] {
            let result = try start(line).wait()
            #expect(result.status == 200 && result.errorOutput.contains(words), "\(result)")
        }
        // A directory of that name is not there; the name that was meant may be.
        let variable = try start(
            "restore-wal \(Self.name) x", under: "UNDERSTUDY_ARCHIVE=\(archive)\(notUTF8) exec"
        ).wait()
        #expect(
            variable.status == 200 && variable.errorOutput.contains("UNDERSTUDY_ARCHIVE is not valid UTF-8"),
            "\(variable)")
        // Elsewhere nobody is hurt, and a standby asks again.
        #expect(try start("restore-wall \(place)", in: "/").wait().status == 1)
        try TestDirectory.write("", to: "\(data)/standby.signal")
        #expect(try start("restore-wall \(place)").wait().status == 1)
    }

    // MARK: - Errors

    @Test func `what may not be read is named once, with whose it is`() throws {
        try TestDirectory.write("", to: "\(archive)/\(Self.name).zst", mode: 0)
        let file = try start("restore-wal --retry-time=0 -D \(archive) \(Self.name) pg_wal/RECOVERYXLOG").wait()
        #expect(
            file.status == 200
                && file.errorOutput.hasPrefix(
                    """
                    understudy: error: could not open file "\(archive)/\(Self.name).zst": Permission denied
                    understudy: hint: The user that runs this may not open it, or not enter a directory above it: see whose they are (namei -l \(archive)/\(Self.name).zst).

                    """),
            "\(file)")
        try Program.check("/bin/chmod", ["0", archive])
        let directory = try start("restore-wal --retry-time=0 -D \(archive) \(Self.name) pg_wal/RECOVERYXLOG").wait()
        #expect(
            directory.status == 200
                && directory.errorOutput.contains("could not open directory \"\(archive)\": Permission denied\n")
                && directory.errorOutput.contains("(namei -l \(archive))"), "\(directory)")
        try Program.check("/bin/chmod", ["700", archive])
    }

    @Test(.enabled(if: DiskFault.canInject, "strace cannot trace here"), arguments: ["", ".gz"])
    func `a disk that cannot be read is no end of the archive`(suffix: String) throws {
        let path = "\(archive)/\(Self.name)\(suffix)"
        try TestDirectory.write("not empty", to: path)
        let result = try start(
            "restore-wal --retry-time=0 -D \(archive) \(Self.name) pg_wal/RECOVERYXLOG",
            under: "exec strace -f -qq -o /dev/null -P \(path) -e inject=pread64:error=EIO"
        ).wait()
        #expect(
            result.status == 200
                && result.errorOutput.hasPrefix(
                    """
                    understudy: error: could not read file "\(path)": Input/output error
                    understudy: hint: The disk or the way to it failed: see the kernel's log (dmesg).

                    """),
            "\(result)")
    }

    // MARK: - Ends

    /// Starts one that waits for an archive.
    private func startWaiting() throws -> Program {
        let program = try start("restore-wal --on-doubt=wait -D \(archive)/gone \(Self.name) pg_wal/RECOVERYXLOG")
        try program.waitToSay("trying again")
        return program
    }

    @Test func `one that waits ends when its server was killed`() throws {
        let postmaster = try Program("/bin/sleep", ["1000"])
        try TestDirectory.write("\(postmaster.processID)\n\(data)\n", to: "\(data)/postmaster.pid")
        let program = try startWaiting()
        #expect(program.isRunning)
        postmaster.send(SIGKILL)
        _ = postmaster.wait()
        let result = program.wait()
        #expect(result.status == 200 && result.errorOutput.contains("error: the server has died"), "\(result)")
    }

    @Test func `a server that stops at once ends it without another word`() throws {
        let program = try startWaiting()
        let before = program.errorOutput
        let result = program.stop(SIGQUIT)
        #expect(result.status == 128 + SIGQUIT && result.errorOutput == before && result.output == "", "\(result)")
    }

    // MARK: - Ahead

    /// The command line and the short name of the process that unpacks ahead for this archive.
    private var ahead: (line: String, name: String)? {
        for process in FileTree.names("/proc") where Int32(process) != nil {
            guard let line = try? FileTree.text("/proc/\(process)/cmdline"), line.contains("(reading ahead)"),
                line.contains(archive), let name = try? FileTree.text("/proc/\(process)/comm")
            else { continue }
            return (line.split(separator: "\0").joined(separator: " "), name)
        }
        return nil
    }

    @Test func `the process that reads ahead says so in lists of processes, and ends with the recovery`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let segment = try cluster.finishSegment()
        try Program.check("/bin/cp", ["\(cluster.directory)/pg_wal/\(segment)", archive])
        let words = "restore-wal -D \(archive) \(segment) pg_wal/RECOVERYXLOG"
        let result = try start(words).wait()
        #expect(result.status == 0, "\(result)")
        try eventually("its name: \(ahead, default: "none")") { ahead?.name == "understudy\n" }
        #expect(ahead?.line == "understudy (reading ahead) \(words)")
        try eventually("its directory") { FileTree.exists("\(data)/pg_wal/understudy.ahead/lock") }
        TestDirectory.removeTree("\(data)/recovery.signal")
        try eventually("its end") { ahead == nil }
        #expect(FileTree.names("\(data)/pg_wal") == ["RECOVERYXLOG"])
    }
}
