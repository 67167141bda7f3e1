import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// One look into the directories of an archive for a file that a server asks for.
struct RestoreLook {
    let directories: [String]
    let servesDiverged: Bool
    let name: String
    let target: RestoreTarget
    /// Of the server; nil if it is not known.
    let control: ControlFile?
    let recovery: WALRecovery

    /// Why the archive cannot tell, the most important first.
    private var doubts: [UnderstudyError] = []
    private var archives: [ConfinedDirectory] = []
    private var candidates = RestoreCandidates()
    /// Files with the name of a complete segment that hold only its beginning.
    private var incomplete: [StoredFile] = []
    private var looksLeft = 3

    init(
        _ name: String, to target: RestoreTarget, from directories: [String], servesDiverged: Bool,
        control: ControlFile?, recovery: WALRecovery
    ) {
        self.directories = directories
        self.servesDiverged = servesDiverged
        self.name = name
        self.target = target
        self.control = control
        self.recovery = recovery
    }

    private var system: String? { control.map { String($0.systemIdentifier) } }
    private var isSegment: Bool { WALSegmentName.isSegmentName(name) }

    mutating func outcome() -> WALRestore.Outcome {
        openAll()
        for file in candidates.complete {
            do throws(UnderstudyError) {
                if try serve(file) { return .restored(from: file.path, isPartial: false) }
                incomplete.append(file)
            } catch { doubts.append(error) }
        }
        // Whatever the others hold, what was found damaged may have been more.
        if let doubt = doubts.first { return .doubtful(doubt) }
        if isSegment || TimelineID(historyFileName: name) != nil { return searchNames() }
        if BackupHistoryName.isFileName(name) { return .absent }
        return .doubtful(
            UnderstudyError(
                .wal, "the archive has no file \"\(name)\", and no server asks for such a one",
                hint: "In restore_command, %f stands for the file."))
    }

    private mutating func openAll() {
        for path in directories {
            do throws(FileIOError) {
                let directory = try ConfinedDirectory(path: path)
                archives.append(directory)
                if servesDiverged { try candidates.lookAside(for: name, in: directory) }
            } catch { doubts.append(UnderstudyError(unreadable: error)) }
        }
        for directory in archives {
            do throws(FileIOError) { try candidates.look(for: name, in: directory) } catch {
                doubts.append(UnderstudyError(unreadable: error))
            }
        }
    }

    // MARK: - What is not there

    /// Whether the file can be missing, by the names of the others.
    private mutating func searchNames() -> WALRestore.Outcome {
        var survey = RestoreSurvey(name)
        for directory in archives {
            do throws(FileIOError) { try survey.look(into: directory) } catch {
                return .doubtful(UnderstudyError(unreadable: error))
            }
        }
        if survey.isThere, candidates.complete.isEmpty {
            // It was given its name after the look for it.
            if looksLeft > 0 { return lookAgain() }
            return .doubtful(UnderstudyError(.fileSystem, "file \"\(name)\" comes and goes in the archive"))
        }
        // A standby may have an archive that begins with its own WAL.
        if recovery != .standby, !survey.empty.isEmpty { return .doubtful(empty(survey.empty)) }
        let evidence = RestoreEvidence(survey, control)
        if let foreign = evidence.foreign { return .doubtful(foreign) }
        if let path = survey.unknown { return serverHasIt ? .absent : .doubtful(unknown(path)) }
        if !isSegment {
            // Timeline 1 has none, and servers ask for it all the same.
            let hasHistory = TimelineID(historyFileName: name) != TimelineID(rawValue: 1)
            return survey.hasTimeline && hasHistory ? .doubtful(lostHistory) : .absent
        }
        let parts = incomplete + candidates.partial
        let isBetween = survey.hasNewer && (survey.hasOlder || !parts.isEmpty)
        return switch isBetween ? .yes : evidence.need(of: name) {
        case .no: parts.isEmpty ? .absent : servePartial(parts)
        case .yes: serverHasIt ? .absent : .doubtful(gap(survey, isIncomplete: !parts.isEmpty))
        case .unknown(let doubt): serverHasIt ? .absent : .doubtful(doubt)
        }
    }

    private mutating func lookAgain() -> WALRestore.Outcome {
        looksLeft -= 1
        (archives, candidates, incomplete) = ([], RestoreCandidates(), [])
        return outcome()
    }

    /// Whether the server has the segment in its pg_wal, where it looks next.
    private var serverHasIt: Bool {
        guard isSegment, target.directory.exists(RelativePath(name)) else { return false }
        let own = StoredFile(RelativePath(name), nil, in: target.directory)
        return (try? RestoredSegment(name, own, system: system).isWhole()) == true
    }

    // MARK: - What is there

    /// Hands out a complete file.
    ///
    /// - Returns: False if it is a segment that holds only its beginning; nothing is handed out then.
    private func serve(_ file: StoredFile) throws(UnderstudyError) -> Bool {
        do throws(WALDestinationError) {
            if isSegment { return try RestoredSegment(name, file, system: system).put(to: target) }
            let content = try content(of: file)
            try target.put { output, path throws(WALDestinationError) in
                try writing { () throws(FileIOError) in try unsafe output.write(content.span.bytes, at: 0, path: path) }
            }
            return true
        } catch { throw UnderstudyError(restoring: error) }
    }

    private func content(of file: StoredFile) throws(WALDestinationError) -> [UInt8] {
        if let timeline = TimelineID(historyFileName: name) { return try RestoredHistory(timeline, file).content }
        return try file.content(atMost: TimelineHistory.longestFile)
    }

    /// Hands out the file that holds most of the last segment of a timeline.
    private func servePartial(_ files: [StoredFile]) -> WALRestore.Outcome {
        do throws(WALDestinationError) {
            var best: (file: StoredFile, end: Int)?
            for file in files {
                guard let end = try RestoredSegment(name, file, system: system).end() else { continue }
                if end > best?.end ?? 0 { best = (file, end) }
            }
            guard let best else { return .absent }
            try RestoredSegment(name, best.file, system: system).putPadded(to: target)
            return .restored(from: best.file.path, isPartial: true)
        } catch { return .doubtful(UnderstudyError(restoring: error)) }
    }
}
