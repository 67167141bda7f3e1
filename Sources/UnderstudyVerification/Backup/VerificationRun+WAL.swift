import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL
import UnderstudyWALRecords

/// Where the WAL of a backup is.
enum WALSource {
    /// A directory of segments.
    case directory(String)
    /// Members of an archive; nil if there is none.
    case archive(ArchivedWAL?)
}

extension VerificationRun {
    /// Proves that the WAL of the manifest is there.
    ///
    /// - Parameter control: Tells the size of segments, if it is known.
    /// - Returns: The number of sound records.
    func verifyWAL(_ manifest: VerifiedManifest, in source: WALSource, _ control: ControlFile?) -> UInt64 {
        guard options.verifiesWAL else { return 0 }
        var records: UInt64 = 0
        for ranges in chains(manifest.ranges) {
            if reporter.isStopped { break }
            do throws(UnderstudyError) {
                let result = try verify(ranges, in: source, control)
                records += result.records
                for flaw in result.flaws { fail(flaw.timeline, "\(flaw.message).") }
            } catch {
                for range in ranges { fail(range.timeline, "\(error.message).") }
            }
        }
        return records
    }

    private func verify(
        _ ranges: [WALRange], in source: WALSource, _ control: ControlFile?
    ) throws(UnderstudyError) -> (records: UInt64, flaws: [WALFlaw]) {
        switch source {
        case .directory(let path):
            var verification = WALVerification(of: ranges, in: Self.withoutEndingSlash(path))
            verification.segmentSize = control?.walSegmentSize
            let result = try verification.run(interrupt) { _ in }
            return (result.recordCount, result.flaws)
        case .archive(let archive):
            guard let archive else { throw UnderstudyError(.wal, "there is no archive with WAL") }
            var verifier = WALVerifier(
                ranges, segmentSize: control?.walSegmentSize ?? .default, systemIdentifier: nil, pageSize: nil)
            try archive.read(for: &verifier, reporter)
            return (verifier.recordCount, verifier.flaws)
        }
    }

    private func fail(_ timeline: TimelineID, _ reason: String) {
        if interrupt.isRaised { return }
        reporter.report(.wal, nil, "WAL parsing failed for timeline \(timeline)", detail: reason)
    }

    /// The ranges that can be read, oldest first, those together that continue each other: what stands before the switch may
    /// be in the file of either timeline. Others are findings.
    private func chains(_ listed: [ManifestWALRange]) -> [[WALRange]] {
        var chains: [[WALRange]] = []
        for range in listed.reversed() {
            let timeline = TimelineID(rawValue: range.timeline)
            guard timeline.rawValue > 0, let start = LSN(range.start), let end = LSN(range.end), start < end else {
                fail(timeline, "The manifest names no WAL with \(range.start) to \(range.end).")
                continue
            }
            let next = WALRange(timeline: timeline, start: start, end: end)
            if let last = chains.last?.last, last.end == start, last.timeline < timeline {
                chains[chains.count - 1].append(next)
            } else {
                chains.append([next])
            }
        }
        return chains
    }
}
