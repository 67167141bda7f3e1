import UnderstudyCompression
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
    /// The server's system identifier; nil if it is not known.
    let system: String?
    let recovery: WALRecovery

    /// Why the archive cannot tell, the most important first.
    private var doubts: [UnderstudyError] = []
    private var archives: [ConfinedDirectory] = []
    private var candidates = RestoreCandidates()
    /// Files with the name of a complete segment that hold only its beginning.
    private var incomplete: [StoredFile] = []
    private var looksLeft = 3

    init(
        _ name: String, to target: RestoreTarget, from directories: [String], servesDiverged: Bool, system: String?,
        recovery: WALRecovery
    ) {
        self.directories = directories
        self.servesDiverged = servesDiverged
        self.name = name
        self.target = target
        self.system = system
        self.recovery = recovery
    }

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
            } catch { doubts.append(Self.unreadable(error)) }
        }
        for directory in archives {
            do throws(FileIOError) { try candidates.look(for: name, in: directory) } catch {
                doubts.append(Self.unreadable(error))
            }
        }
    }

    private static func unreadable(_ error: FileIOError) -> UnderstudyError {
        var failure = UnderstudyError(error)
        failure.hint = "Mount the file system that holds the archive, or correct the name of the directory."
        return failure
    }

    // MARK: - What is not there

    /// Whether the file can be missing, by the names of the others.
    private mutating func searchNames() -> WALRestore.Outcome {
        var survey = RestoreSurvey(name)
        for directory in archives {
            do throws(FileIOError) { try survey.look(into: directory) } catch {
                return .doubtful(Self.unreadable(error))
            }
        }
        if survey.isThere, candidates.complete.isEmpty {
            // It was given its name after the look for it.
            if looksLeft > 0 { return lookAgain() }
            return .doubtful(UnderstudyError(.fileSystem, "file \"\(name)\" comes and goes in the archive"))
        }
        // A standby may have an archive that begins with its own WAL.
        if recovery != .standby, !survey.empty.isEmpty { return .doubtful(empty(survey.empty)) }
        let evidence = RestoreEvidence(survey, system: system)
        if let foreign = evidence.foreign { return .doubtful(foreign) }
        if !isSegment {
            // Timeline 1 has none, and servers ask for it all the same.
            let hasHistory = TimelineID(historyFileName: name) != TimelineID(rawValue: 1)
            return survey.hasTimeline && hasHistory ? .doubtful(lostHistory) : .absent
        }
        let parts = incomplete + candidates.partial
        let isBetween = survey.hasNewer && (survey.hasOlder || !parts.isEmpty)
        if isBetween || evidence.needs(name) {
            return serverHasIt ? .absent : .doubtful(gap(survey, isIncomplete: !parts.isEmpty))
        }
        return parts.isEmpty ? .absent : servePartial(parts)
    }

    private mutating func lookAgain() -> WALRestore.Outcome {
        looksLeft -= 1
        (archives, candidates, incomplete) = ([], RestoreCandidates(), [])
        return outcome()
    }

    private func empty(_ paths: [String]) -> UnderstudyError {
        UnderstudyError(
            .wal, "archive \"\(paths.joined(separator: "\", \""))\" holds no WAL",
            detail: "The file system that holds the archive may not be mounted.", hint: "Mount it.")
    }

    private var lostHistory: UnderstudyError {
        UnderstudyError(
            .wal, "history file \"\(name)\" is missing in the archive, which holds segments of that timeline",
            hint: "Fetch the file from pg_wal of a server that is or was on that timeline.")
    }

    private func gap(_ survey: RestoreSurvey, isIncomplete: Bool) -> UnderstudyError {
        UnderstudyError(
            .wal,
            isIncomplete
                ? "segment \"\(name)\" is not complete in the archive, which holds newer ones of its timeline"
                : "segment \"\(name)\" is missing in the archive, which holds WAL from behind it",
            detail: survey.note.map { "The server had removed WAL before it was received: see the note \"\($0)\"." },
            hint:
                "Fetch the segment from another archive, or from pg_wal of the server. If it is lost, recovery cannot go further: set a recovery target before it, or take a base backup from behind it."
        )
    }

    /// Whether the server has the segment in its pg_wal, where it looks next.
    private var serverHasIt: Bool {
        guard target.directory.exists(RelativePath(name)) else { return false }
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
            let content = try wholeContent(of: file)
            if let timeline = TimelineID(historyFileName: name) {
                do throws(TimelineHistoryError) { _ = try TimelineHistory(parsing: content, of: timeline) } catch {
                    throw WALDestinationError("file \"\(file.path)\" is damaged", detail: error.detail)
                }
            }
            try target.put { output, path throws(WALDestinationError) in
                try writing { () throws(FileIOError) in try unsafe output.write(content.span.bytes, at: 0, path: path) }
            }
            return true
        } catch { throw UnderstudyError(restoring: error) }
    }

    private func wholeContent(of file: StoredFile) throws(WALDestinationError) -> [UInt8] {
        var content: [UInt8] = []
        let ending = try file.pages(of: 1 << 16) { page in
            content += page
            return content.count <= TimelineHistory.longestFile
        }
        guard ending == .whole else { throw WALDestinationError("file \"\(file.path)\" is damaged or incomplete") }
        return content
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

extension UnderstudyError {
    /// - Parameter error: Of a file of the archive, or of the server's directory.
    fileprivate init(restoring error: WALDestinationError) {
        self.init(error)
        // What is wrong with the content has no cause.
        if error.cause == nil { code = .wal }
    }
}
