import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Checks the files of an archive, several at a time.
struct ArchiveChecker: Sendable {
    private let snapshot: ArchiveSnapshot
    /// nil if no segment is in a form that is read here.
    private let size: WALSegmentSize?
    private let histories: [TimelineID: TimelineHistory]
    private let interrupt: Interrupt

    init(_ snapshot: ArchiveSnapshot, _ interrupt: Interrupt) throws(UnderstudyError) {
        let hasOpaque = snapshot.files.contains { OpaqueFile($0)?.isCompanion == false }
        guard snapshot.segmentSize != nil || hasOpaque || !snapshot.brokenLinks.isEmpty else {
            throw UnderstudyError(
                .target, "directory \"\(snapshot.directory.path)\" holds no WAL to check",
                hint: "Name the directory that the segments are in.")
        }
        self.snapshot = snapshot
        size = snapshot.segmentSize
        self.interrupt = interrupt
        histories = Dictionary(try snapshot.readHistories().map { ($0.file.timeline, $0.history) }) { $1 }
    }

    /// A piece of the work.
    private enum Task: Sendable {
        case file(ArchivedFile)
        case join(TimelineHistory)
    }

    private struct Progress: Sendable {
        var next = 0
        var findings: [ArchiveCheck.Finding] = []
        var failure: UnderstudyError?
    }

    func check() throws(UnderstudyError) -> ArchiveCheck {
        let inventory = try snapshot.inventory(backups: [], histories: Array(histories.values))
        let others = Set(inventory.others.map(\.name)).union(inventory.noteFiles.keys.map(\.name))
            .union(inventory.opaque.map(\.file.name))
        let files = snapshot.files.filter { !others.contains($0.name) && (size != nil || isHistory($0.name)) }
        let tasks = files.map(Task.file) + histories.values.sorted { $0.timeline < $1.timeline }.map(Task.join)
        let progress = Monitor(Progress())
        OwnThread.share("archive check", among: min(Processors.count, tasks.count)) { work(tasks, progress) }
        let (found, failure) = progress.read { ($0.findings, $0.failure) }
        if let failure { throw failure }
        let findings = Self.firsts(found + unchecked(inventory))
        let unread = Set(findings.lazy.filter(\.kind.isUnchecked).map(\.file))
        return ArchiveCheck(
            files: files.filter { !unread.contains($0.name) }, findings: findings, gaps: inventory.gaps)
    }

    private func isHistory(_ name: String) -> Bool {
        ArchivedHistory(fileName: name) != nil || BackupHistoryName.isFileName(name)
    }

    /// What is known without reading: files that are not read here, and links that lead nowhere. And what could not be read
    /// when stock was taken.
    private func unchecked(_ inventory: ArchiveInventory) -> [ArchiveCheck.Finding] {
        inventory.opaque.map {
            .init(file: $0.file.name, kind: .opaque, message: "not checked: \($0.suffix) is not read here")
        }
            + inventory.brokenLinks.map {
                .init(file: $0.name, kind: .link, message: "is a symbolic link that leads nowhere: \($0.reason)")
            } + inventory.unreadable.map { .init(unreadable: $0.name, $0.reason) }
    }

    private func work(_ tasks: [Task], _ progress: Monitor<Progress>) {
        while true {
            let task = progress.change { progress -> Task? in
                guard progress.failure == nil, progress.next < tasks.count else { return nil }
                progress.next += 1
                return tasks[progress.next - 1]
            }
            guard let task else { return }
            do throws(UnderstudyError) {
                if interrupt.isRaised { throw UnderstudyError(.cancelled, "interrupted") }
                let findings = try perform(task)
                progress.change { $0.findings += findings }
            } catch {
                progress.change { $0.failure = $0.failure ?? error }
            }
        }
    }

    private func perform(_ task: Task) throws(UnderstudyError) -> [ArchiveCheck.Finding] {
        switch task {
        case .file(let file): try check(file).map { [$0] } ?? []
        case .join(let history):
            try size.map { size throws(UnderstudyError) in
                try TimelineJoinCheck(snapshot, size, history, known: histories).findings()
            } ?? []
        }
    }

    /// One for each file, of several the one at its first byte.
    private static func firsts(_ findings: [ArchiveCheck.Finding]) -> [ArchiveCheck.Finding] {
        var firsts: [String: ArchiveCheck.Finding] = [:]
        for finding in findings {
            let offset = finding.contentOffset ?? finding.offset ?? .max
            if let other = firsts[finding.file], (other.contentOffset ?? other.offset ?? .max) <= offset { continue }
            firsts[finding.file] = finding
        }
        return firsts.values.sorted { $0.file < $1.file }
    }

    // MARK: - A file that may change meanwhile

    private static let mostLooks = 4

    /// Checks a file, again if it was being written: what changes is not damaged.
    private func check(_ listed: ArchivedFile) throws(UnderstudyError) -> ArchiveCheck.Finding? {
        var file = listed, last: ArchiveCheck.Finding?
        for look in 1...Self.mostLooks {
            var finding: ArchiveCheck.Finding?
            do throws(WALDestinationError) { finding = try check(named: file.name) } catch {
                guard error.isOfFile else { throw UnderstudyError(error) }
                finding = .init(unreadable: file.name, error.reasonOfFile)
            }
            guard finding != nil else { return nil }
            let now: ArchivedFile?
            do throws(FileIOError) { now = try snapshot.directory.archivedFile(file.name) } catch {
                throw UnderstudyError(error)
            }
            guard let now else { return try checkSuccessor(of: file) }
            // A time of modification is coarse: a partial file is believed to be damaged when it was seen so twice.
            let isSettled = now == file && (finding == last || !file.name.hasSuffix(ArchivedSegment.partialSuffix))
            if isSettled || look == Self.mostLooks { return finding }
            (file, last) = (now, finding)
        }
        return last
    }

    /// A partial file that is gone may be complete by now.
    private func checkSuccessor(of file: ArchivedFile) throws(UnderstudyError) -> ArchiveCheck.Finding? {
        guard let size, let partial = ArchivedSegment(fileName: file.name, size: size), partial.isPartial else {
            return nil
        }
        let name = ArchivedSegment(
            segment: partial.segment, compression: partial.compression, isPartial: false
        ).fileName
        let complete: ArchivedFile?
        do throws(FileIOError) { complete = try snapshot.directory.archivedFile(name) } catch {
            throw UnderstudyError(error)
        }
        return if let complete { try check(complete) } else { nil }
    }

    private func check(named name: String) throws(WALDestinationError) -> ArchiveCheck.Finding? {
        let check = ArchivedFileCheck(snapshot.directory, name)
        if let size, let segment = ArchivedSegment(fileName: name, size: size) {
            let history =
                histories[segment.segment.timeline]
                ?? (segment.segment.timeline == 1 ? TimelineHistory(root: 1) : nil)
            return try check.finding(segment, SegmentCheck(segment, origin: snapshot.origin, history: history))
        }
        if let history = ArchivedHistory(fileName: name) { return try check.finding(history) }
        if BackupHistoryName.isFileName(name) { return try check.findingOfBackupHistory() }
        return nil
    }
}

extension ArchiveCheck.Finding {
    fileprivate init(unreadable name: String, _ reason: String) {
        self.init(file: name, kind: .unreadable, message: "could not be read: \(reason)")
    }
}
