import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// What the files of an archive say about a segment that is not there: whether it must have been, and whose archive it is.
struct RestoreEvidence {
    private let survey: RestoreSurvey
    /// The server's system identifier; nil if it is not known.
    private let system: String?
    /// Of a segment of the archive.
    private let header: WALPageHeader?

    init(_ survey: RestoreSurvey, system: String?) {
        self.survey = survey
        self.system = system
        let bytes = survey.sample.flatMap { try? $0.prefix(WALPageHeader.byteCount) }
        header = bytes.flatMap { WALPageHeader($0) }
    }

    /// The error that it is the archive of another cluster, if that is so.
    var foreign: UnderstudyError? {
        guard let system, let header, let sample = survey.sample, header.systemIdentifier != system else { return nil }
        return UnderstudyError(
            .wal, "archive \"\(sample.directory.path)\" holds WAL of another database cluster",
            detail:
                "The system identifier in \"\(sample.name)\" is \(header.systemIdentifier), the server's is \(system).",
            hint: "Name the archive of this cluster.")
    }

    /// Whether a restore cannot do without a segment: its timeline goes on in the archive, or by the history of a younger one
    /// went on beyond it. Before the segment in which it begins, a timeline has none.
    func needs(_ name: String) -> Bool {
        guard let header, let size = WALSegmentSize(bytes: header.segmentSize),
            let segment = WALSegmentName(name, size: size)
        else { return false }
        if segment.timeline == TimelineID(rawValue: 1), survey.hasNewer { return true }
        return survey.histories.compactMap(Self.history).contains { history in
            guard history.contains(segment.timeline),
                segment.endLSN > history.beginning(of: segment.timeline) ?? .invalid
            else { return false }
            guard let end = history.switchLSN(of: segment.timeline) else { return survey.hasNewer }
            return segment.endLSN <= end
        }
    }

    private static func history(_ file: StoredFile) -> TimelineHistory? {
        guard let name = ArchivedHistory(fileName: "\(file.name)"),
            let content = try? file.prefix(TimelineHistory.longestFile)
        else { return nil }
        return try? TimelineHistory(parsing: content, of: name.timeline)
    }
}
