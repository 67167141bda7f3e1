import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("Which progress is shown")
struct ProgressWriterTests {
    /// A backup of four seconds, as the library reports it: five times a second, and at each change of phase.
    static let run: [BackupProgress] = {
        let total: UInt64 = 2_048_000
        let phases: [BackupProgress.Phase] = [.connecting, .checkpoint, .copying, .finishingWAL, .syncing]
        var run: [BackupProgress] = []
        for tick in 0..<20 {
            let phase = phases[[0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4, 4][tick]]
            let done = tick < 7 ? 0 : min(total, UInt64(tick - 7) * 204_800)
            run.append(
                BackupProgress(
                    phase: phase, bytesDone: done, bytesTotal: tick < 7 ? nil : total,
                    tablespacesDone: tick > 16 ? 1 : 0,
                    tablespacesTotal: 1, elapsed: .milliseconds(tick * 200)))
        }
        var done = run[19]
        done.phase = .done
        done.elapsed = .seconds(4)
        return run + [done]
    }()

    private func outputs(
        _ style: ProgressWriter.Style, _ run: [BackupProgress] = run
    ) -> [ProgressWriter.Output] {
        var writer = ProgressWriter(style: style, suggestsFastCheckpoint: true)
        return run.map { writer.update($0, columns: 80) }.filter { $0 != .nothing }
    }

    @Test("nothing is nothing")
    func none() {
        #expect(outputs(.none) == [])
    }

    @Test("a terminal's line follows every report, and stays at the end")
    func terminal() {
        let outputs = outputs(.terminal)
        #expect(outputs.count == Self.run.count)
        #expect(outputs[3] == .status("waiting for the checkpoint, 0:00"))
        #expect(outputs.last == .line("100%  2.0 MB of 2.0 MB  done in 0:04"))
    }

    @Test("a failure removes the terminal's line")
    func failure() {
        #expect(outputs(.terminal, [BackupProgress(phase: .failed)]) == [.status(nil)])
        #expect(outputs(.plain(every: 1), [BackupProgress(phase: .failed)]) == [])
    }

    @Test("plain lines come at each change of phase and at the interval")
    func plain() {
        let seldom: [ProgressWriter.Output] = [
            .line("connecting"),
            .line("waiting for the checkpoint, 0:00"),
            .line("copying: 0%, 0 bytes of 2.0 MB"),
            .line("finishing WAL"),
            .line("syncing"),
            .line("done: 2.0 MB in 0:04"),
        ]
        #expect(outputs(.plain(every: 10)) == seldom)
        var often = seldom
        often.insert(.line("waiting for the checkpoint, 0:00"), at: 2)
        often.insert(.line("copying: 30%, 600.0 kB of 2.0 MB"), at: 4)
        often.insert(.line("copying: 80%, 1.6 MB of 2.0 MB"), at: 5)
        #expect(outputs(.plain(every: 1)) == often)
    }

    @Test("the stock tool's lines come once a second, and one at the end of the copy")
    func stock() {
        let copy: [ProgressWriter.Output] = [
            .line("   0/2000 kB (0%), 0/1 tablespace"),
            .line(" 600/2000 kB (30%), 0/1 tablespace"),
            .line("1600/2000 kB (80%), 0/1 tablespace"),
            .line("2000/2000 kB (100%), 1/1 tablespace"),
        ]
        #expect(outputs(.stock(isVerbose: false, directory: "d/")) == [.line("waiting for checkpoint")] + copy)
        // With -v there is room for a name of 35 characters.
        let room = String(repeating: " ", count: 41)
        let verbose = copy.map { line -> ProgressWriter.Output in
            guard case .line(let text) = line else { return line }
            return .line(text + room)
        }
        #expect(outputs(.stock(isVerbose: true, directory: "d/")) == verbose)
    }

    @Test("with -v the stock tool's lines name the file, and the end of a long name")
    func stockFiles() {
        var progress = BackupProgress(
            phase: .copying, bytesDone: 8_398_848, bytesTotal: 24_196_096, tablespacesTotal: 1)
        progress.file = "base/4/1255"
        #expect(
            outputs(.stock(isVerbose: true, directory: "d/"), [progress]) == [
                .line(" 8202/23629 kB (34%), 0/1 tablespace (d/base/4/1255                      )")
            ])
        progress.file = "base/1/12604"
        let long = "/srv/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/longer/"
        #expect(
            outputs(.stock(isVerbose: true, directory: long), [progress]) == [
                .line(" 8202/23629 kB (34%), 0/1 tablespace (...aaaaaaaaaaaa/longer/base/1/12604)")
            ])
    }

    @Test("JSON objects come once a second and at each change of phase; the last one is the result's")
    func json() {
        let phases = outputs(.json).map { output in
            guard case .object(let object) = output, case .string(let phase)? = object["phase"] else { return "" }
            return phase
        }
        #expect(
            phases == [
                "connecting", "checkpoint", "checkpoint", "copying", "copying", "copying", "finishingWAL", "syncing",
            ])
        #expect(outputs(.json, [BackupProgress(phase: .failed)]) == [])
    }
}
