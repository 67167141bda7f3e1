import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("Progress in words")
struct ProgressTextTests {
    static let gigabyte: UInt64 = 1 << 30

    static let copying = BackupProgress(
        phase: .copying, bytesDone: 1_503_238_554, bytesTotal: 3_435_973_837, bytesPerSecond: 537_186_304,
        eta: .milliseconds(3_600), tablespacesDone: 1, tablespacesTotal: 3, elapsed: .seconds(3))

    @Test(
        "bytes have PostgreSQL's units and one decimal",
        arguments: [
            (0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1.0 kB"), (1536, "1.5 kB"),
            (1_048_524, "1023.9 kB"), (1_048_575, "1.0 MB"), (1 << 30, "1.0 GB"), (3_435_973_837, "3.2 GB"),
            (1 << 40, "1.0 TB"), (UInt64.max, "16.0 EB"),
        ] as [(UInt64, String)])
    func bytes(count: UInt64, text: String) {
        #expect(Quantity.bytes(count) == text)
    }

    @Test(
        "times are minutes and seconds, with hours where there are any",
        arguments: [
            (Duration.zero, "0:00"), (.milliseconds(59_999), "0:59"), (.seconds(60), "1:00"), (.seconds(3599), "59:59"),
            (.seconds(3600), "1:00:00"), (.seconds(93_784), "26:03:04"), (.seconds(-1), "0:00"),
        ])
    func clock(duration: Duration, text: String) {
        #expect(Quantity.clock(duration) == text)
    }

    @Test(
        "the terminal's line leaves out what matters least until it fits, and never fills the last column",
        arguments: [
            (80, "43%  1.4 GB of 3.2 GB  512.3 MB/s  0:03 left  copying"),
            (54, "43%  1.4 GB of 3.2 GB  512.3 MB/s  0:03 left  copying"),
            (53, "43%  1.4 GB of 3.2 GB  0:03 left  copying"),
            (41, "43%  0:03 left  copying"),
            (24, "43%  0:03 left  copying"),
            (23, "43%  0:03 left"),
            (14, "43%"),
            (3, "43"),
            (1, ""),
            (0, ""),
        ])
    func widths(columns: Int, text: String) {
        let line = ProgressText.terminalLine(
            Self.copying, inPhase: .seconds(2), suggestsFastCheckpoint: true, columns: columns)
        #expect(line == text)
    }

    @Test(
        "what is not known is left out",
        arguments: [
            (BackupProgress(phase: .connecting), 0, "connecting"),
            (BackupProgress(phase: .connecting), 3, "connecting, 0:03"),
            (BackupProgress(phase: .copying, bytesDone: 2048), 3, "2.0 kB  copying"),
            (BackupProgress(phase: .copying, bytesTotal: 4096), 0, "0%  0 bytes of 4.0 kB  copying"),
            (BackupProgress(phase: .copying, bytesDone: 8192, bytesTotal: 4096), 0, "100%  8.0 kB of 8.0 kB  copying"),
            (BackupProgress(phase: .copying, bytesDone: 9999, bytesTotal: 10000), 0, "99%  9.8 kB of 9.8 kB  copying"),
            (
                BackupProgress(phase: .syncing, bytesDone: 4096, bytesTotal: 4096, bytesPerSecond: 9, eta: .seconds(9)),
                2,
                "100%  4.0 kB of 4.0 kB  syncing, 0:02"
            ),
            (BackupProgress(phase: .done, bytesDone: 4096, elapsed: .seconds(61)), 0, "4.0 kB  done in 1:01"),
        ] as [(BackupProgress, Int, String)])
    func unknowns(progress: BackupProgress, seconds: Int, text: String) {
        let line = ProgressText.terminalLine(
            progress, inPhase: .seconds(seconds), suggestsFastCheckpoint: true, columns: 80)
        #expect(line == text)
    }

    @Test(
        "a long wait for a spread checkpoint points to -c fast, where there is room",
        arguments: [
            (4, true, 80, "waiting for the checkpoint, 0:04"),
            (5, true, 80, "waiting for the checkpoint, 0:05 (-c fast asks for one at once)"),
            (5, true, 40, "waiting for the checkpoint, 0:05"),
            (5, true, 12, "waiting for"),
            (5, false, 80, "waiting for the checkpoint, 0:05"),
        ])
    func checkpoint(seconds: Int, suggestsFastCheckpoint: Bool, columns: Int, text: String) {
        let line = ProgressText.terminalLine(
            BackupProgress(phase: .checkpoint), inPhase: .seconds(seconds),
            suggestsFastCheckpoint: suggestsFastCheckpoint,
            columns: columns)
        #expect(line == text)
    }

    @Test("a log's line begins with the phase")
    func plain() {
        func line(_ progress: BackupProgress, _ seconds: Int = 0) -> String {
            ProgressText.plainLine(progress, inPhase: .seconds(seconds), suggestsFastCheckpoint: true)
        }
        #expect(line(Self.copying) == "copying: 43%, 1.4 GB of 3.2 GB, 512.3 MB/s, 0:03 left")
        #expect(line(BackupProgress(phase: .copying)) == "copying")
        #expect(line(BackupProgress(phase: .checkpoint), 6).hasSuffix("0:06 (-c fast asks for one at once)"))
        #expect(line(BackupProgress(phase: .finishingWAL), 2) == "finishing WAL, 0:02")
        #expect(line(BackupProgress(phase: .done, bytesDone: 4096, elapsed: .seconds(7))) == "done: 4.0 kB in 0:07")
    }

    @Test(
        "the stock tool's line is its own to the letter",
        arguments: [
            (0, 31_234_048, 0, 1, "    0/30502 kB (0%), 0/1 tablespace"),
            (10_240_000, 31_234_048, 0, 3, "10000/30502 kB (32%), 0/3 tablespaces"),
            (31_234_048, 31_234_048, 1, 1, "30502/30502 kB (100%), 1/1 tablespace"),
            (40_960_000, 31_234_048, 1, 1, "40000/40000 kB (100%), 1/1 tablespace"),
            (0, 0, 0, 0, "0/0 kB (0%), 0/0 tablespaces"),
        ] as [(UInt64, UInt64, Int, Int, String)])
    func stock(done: UInt64, total: UInt64, tablespacesDone: Int, tablespacesTotal: Int, text: String) {
        let progress = BackupProgress(
            phase: .copying, bytesDone: done, bytesTotal: total, tablespacesDone: tablespacesDone,
            tablespacesTotal: tablespacesTotal)
        #expect(ProgressText.stockLine(progress) == text)
    }
}
