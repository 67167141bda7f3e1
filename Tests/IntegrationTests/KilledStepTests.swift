import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// A run is killed at each system call that makes, changes or removes a mark, at one after the other until none is left:
/// strace(1) sends the signal. Whatever is there then, the next run can end, or it is a complete backup that stays.
@Suite(.disabled(if: isStock), .enabled(if: DiskFault.canInject, "strace cannot trace here"))
struct KilledStepTests {
    private static let mark = "pgsql_tmp.understudy"

    /// What comes before the kill.
    enum Story: String, CaseIterable, Sendable, CustomTestStringConvertible {
        /// Nothing: the run would succeed.
        case success
        /// Nothing, and there is a run before that was killed.
        case forceClean
        /// The sync fails, so the run undoes what it did.
        case undo
        /// The very last sync fails, when the marks are gone.
        case lateUndo

        var testDescription: String { rawValue }
    }

    @Test(arguments: ["mkdir", "pwrite64", "fsync", "unlinkat", "renameat"])
    func `a run that is killed at any call can be ended`(call: String) throws {
        try killAll(.success, call, [])
    }

    @Test func `a run that is killed while it removes what an earlier one left can be ended`() throws {
        try killAll(.forceClean, "unlinkat", [])
    }

    @Test(arguments: ["unlinkat", "pwrite64"])
    func `a run that is killed while it undoes what it did can be ended`(call: String) throws {
        try killAll(.undo, call, ["inject=syncfs:error=EIO"])
    }

    @Test(arguments: ["unlinkat", "linkat", "pwrite64"])
    func `a run that is killed while it removes what was complete can be ended`(call: String) throws {
        let run = try FaultyRun(["--sync-method", "syncfs"])
        let (result, trace) = try run.result(["trace=fsync"], on: places(call, .lateUndo, run))
        #expect(result.status == 0, "\(result)")
        let thread = try #require(trace.split(separator: "\n").last?.split(separator: " ").first)
        // The last of them follows the removal of the last mark.
        let last = trace.split(separator: "\n").count { $0.hasPrefix("\(thread) ") && $0.contains("fsync(") }
        try killAll(.lateUndo, call, ["inject=fsync:error=EIO:when=\(last)"])
    }

    private func killAll(_ story: Story, _ call: String, _ trouble: [String]) throws {
        for count in 1...500 {
            let run = try FaultyRun(["--sync-method", "syncfs"])
            var more: [String] = []
            if story == .forceClean {
                more = ["--force-clean"]
                // When it has copied all, which it then would sync.
                let (killed, _) = try run.result(["trace=syncfs", "inject=syncfs:signal=SIGKILL"])
                #expect(killed.status == 128 + SIGKILL, "\(killed)")
            }
            let calls = (["fsync", "syncfs"] + [call]).joined(separator: ",")
            let (result, trace) = try run.result(
                ["trace=\(calls)"] + trouble + ["inject=\(call):signal=SIGKILL:when=\(count)"],
                on: places(call, story, run), more)
            guard result.status == 128 + SIGKILL else {
                #expect(count > 1, "\(call) is never called: \(result)\n\(trace)")
                #expect(result.status == (trouble.isEmpty ? 0 : 1), "\(result)")
                return
            }
            try expectEnd(run, "\(call) \(count)\n\(trace)")
        }
        Issue.record("\(call) has no end")
    }

    /// Where calls are counted: nowhere is everywhere, because what is written into a file without a name is counted, too.
    private func places(_ call: String, _ story: Story, _ run: FaultyRun) -> [String] {
        call == "pwrite64" && story == .lateUndo ? [] : run.directories + run.marks
    }

    private func expectEnd(_ run: FaultyRun, _ moment: String) throws {
        let left = FileTree.snapshot(run.parent)
        // No server starts before all is there: the control file comes when the rest is on stable storage.
        let target = "\(run.parent)/deep/target"
        if FileTree.exists("\(target)/global/pg_control") {
            #expect(
                FileTree.exists("\(target)/pg_tblspc") && FileTree.exists("\(target)/backup_manifest")
                    || FileTree.exists("\(target)/pgsql_tmp.understudy.backup_manifest"), "\(moment)")
        }
        let marks = left.filter { $0.contains(Self.mark) }
        let refused = try UnderstudyProgram.run(run.arguments)
        if refused.status == 0 { return run.expectComplete("\(moment)\n\(refused)") }
        #expect(FileTree.snapshot(run.parent) == left, "\(moment)\n\(refused)")
        let cleaned = try UnderstudyProgram.run(run.arguments + ["--force-clean"])
        if cleaned.status != 0 {
            // Then it was complete: nothing is gone but marks.
            #expect(
                FileTree.snapshot(run.parent) == left.filter { !$0.contains(Self.mark) },
                "\(moment)\n\(marks)\n\(refused)\n\(cleaned)")
            expectRefused(cleaned, marks.isEmpty ? "exists but is not empty" : "holds a complete base backup")
        }
        run.expectComplete("\(moment)\n\(marks)\n\(refused)\n\(cleaned)")
    }
}

extension FaultyRun {
    fileprivate var marks: [String] { directories.dropFirst().map { "\($0)/pgsql_tmp.understudy" } }

    /// Expects a backup with all that the server sent, and no mark.
    fileprivate func expectComplete(_ comment: String, sourceLocation: SourceLocation = #_sourceLocation) {
        for name in [
            "deep/target/backup_manifest", "deep/target/base/1/1", "deep/target/global/pg_control",
            "mapped/\(PlayedServer.Version.v16.spaceDirectory)/1",
            "wal/000000010000000000000003",
        ] {
            #expect(FileTree.exists("\(parent)/\(name)"), "\(name): \(comment)", sourceLocation: sourceLocation)
        }
        #expect(
            !FileTree.snapshot(parent).contains { $0.contains("pgsql_tmp") }, "\(comment)",
            sourceLocation: sourceLocation)
    }
}
