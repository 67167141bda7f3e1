import Foundation
import Testing
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite("Looking again what an archive holds")
struct HoldingsWatchTests {
    private let timeline = TimelineID(rawValue: 1)

    private func position(_ segment: UInt64) -> WALPosition {
        WALPosition(timeline: timeline, lsn: LSN(rawValue: segment << 24))
    }

    private func path(_ segment: UInt64, _ suffix: String = "") -> String {
        "00000001000000000000000\(segment)\(suffix)"
    }

    @Test("shows what was removed and what was filled, once it was seen twice, and keeps what only contents show")
    func changes() throws {
        let place = try TestDirectory.make("archive")
        for segment in UInt64(2)...8 { try TestDirectory.write("", to: "\(place)/\(path(segment))", mode: 0o600) }
        try TestDirectory.write("", to: "\(place)/\(path(9, ".partial"))", mode: 0o600)
        let archiver = WALArchiver(source: "host=127.0.0.1", destination: .directory(place))
        let damaged = WALGap(start: position(7), end: position(8))
        archiver.state.change { status in
            status.timeline = timeline
            var holdings = WALArchiver.Status.Holdings()
            (holdings.begin, holdings.end, holdings.gaps) = (position(2), position(9), [damaged])
            status.holdings = holdings
        }
        let watch = HoldingsWatch(
            archiver, HelperPool.shared.lane(.process),
            ArchiveLook(
                path: place, size: .default, timeline: timeline, history: TimelineHistory(root: timeline)))
        func holdings() throws -> WALArchiver.Status.Holdings {
            watch.lookNow()
            return try #require(archiver.state.status.holdings)
        }
        #expect(try holdings().gaps == [damaged])
        // As a prune does.
        try FileManager.default.removeItem(atPath: "\(place)/\(path(2))")
        try FileManager.default.removeItem(atPath: "\(place)/\(path(5))")
        let first = try holdings()
        #expect(first.begin == position(3) && first.end == position(9) && first.gaps == [damaged])
        let missing = WALGap(start: position(5), end: position(6))
        #expect(try holdings().gaps == [missing, damaged])
        try TestDirectory.write("", to: "\(place)/\(path(5, ".zst"))", mode: 0o600)
        #expect(try holdings().gaps == [damaged])
        // A timeline that it knows nothing of.
        archiver.state.change { $0.timeline = TimelineID(rawValue: 2) }
        try FileManager.default.removeItem(atPath: "\(place)/\(path(3))")
        #expect(try holdings().begin == position(3))
    }
}
