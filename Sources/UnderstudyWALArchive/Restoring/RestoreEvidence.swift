import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// What the files of an archive say about a segment that is not there: whether it must have been, and whose archive it is.
struct RestoreEvidence {
    private let survey: RestoreSurvey
    /// Of the server; nil if it is not known.
    private let control: ControlFile?
    /// The first page of a segment of each directory, where it can be read.
    private let samples: [(file: StoredFile, header: WALPageHeader)]

    init(_ survey: RestoreSurvey, _ control: ControlFile?) {
        self.survey = survey
        self.control = control
        samples = survey.samples.compactMap { file in
            let bytes = try? file.prefix(WALPageHeader.byteCount)
            return bytes.flatMap { WALPageHeader($0) }.map { (file, $0) }
        }
    }

    /// The error that one of the directories is the archive of another cluster, if that is so.
    var foreign: UnderstudyError? {
        guard let system = control.map({ String($0.systemIdentifier) }),
            let other = samples.first(where: { $0.header.systemIdentifier != system })
        else { return nil }
        return UnderstudyError(
            .wal, "archive \"\(other.file.directory.path)\" holds WAL of another database cluster",
            detail:
                "The system identifier in \"\(other.file.name)\" is \(other.header.systemIdentifier), the server's is \(system).",
            hint: "Name the archive of this cluster.")
    }

    /// Whether there must be more WAL than what the archive has of a segment.
    enum Need {
        case no
        /// Its timeline goes on in the archive, or by the history of a younger one went on beyond it. Before the segment in
        /// which it begins, a timeline has none.
        case yes
        /// The history of a younger timeline would tell, and cannot be read.
        case unknown(UnderstudyError)
    }

    /// - Parameter name: 24 digits.
    func need(of name: String) -> Need {
        let segment = size.flatMap { WALSegmentName(name, size: $0) }
        if segment?.timeline == TimelineID(rawValue: 1), survey.hasNewer { return .yes }
        var known: Set<TimelineID> = [], broken: [(timeline: TimelineID, error: WALDestinationError)] = []
        for file in survey.histories {
            guard let timeline = ArchivedHistory(fileName: "\(file.name)")?.timeline else { continue }
            do throws(WALDestinationError) {
                let history = try RestoredHistory(timeline, file).history
                if let segment, needs(segment, by: history) { return .yes }
                known.insert(timeline)
            } catch { broken.append((timeline, error)) }
        }
        let own = TimelineID(rawValue: UInt32(name.prefix(8), radix: 16) ?? 0)
        // Another file may have the same history.
        let lost = broken.first { $0.timeline > own && !known.contains($0.timeline) }
        return lost.map { .unknown(UnderstudyError(restoring: $0.error)) } ?? .no
    }

    private var size: WALSegmentSize? {
        samples.lazy.compactMap { WALSegmentSize(bytes: $0.header.segmentSize) }.first ?? control?.walSegmentSize
    }

    private func needs(_ segment: WALSegmentName, by history: TimelineHistory) -> Bool {
        guard history.contains(segment.timeline), segment.endLSN > history.beginning(of: segment.timeline) ?? .invalid
        else { return false }
        guard let end = history.switchLSN(of: segment.timeline) else { return survey.hasNewer }
        return segment.endLSN <= end
    }
}
