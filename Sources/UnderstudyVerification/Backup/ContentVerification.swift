import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// Reads contents and has them checked, several at a time.
final class ContentVerification: Sendable {
    private let tree: ReadOnlyTree
    private let queue: ContentQueue
    private let archives: [ArchiveFile]
    private let reporter: VerificationReporter
    private let failure = Monitor<UnderstudyError?>(nil)

    private static let step = 1 << 18

    /// The archive that a thread reads from.
    private final class OpenArchive {
        let number: Int
        let file: FileDescriptor

        init(_ number: Int, _ file: consuming FileDescriptor) {
            self.number = number
            self.file = file
        }
    }

    /// - Parameter archives: Those that items of the queue name.
    init(_ tree: ReadOnlyTree, _ queue: ContentQueue, in archives: [ArchiveFile], _ reporter: VerificationReporter) {
        self.tree = tree
        self.queue = queue
        self.archives = archives
        self.reporter = reporter
    }

    /// Of the files of a directory.
    convenience init(_ tree: ReadOnlyTree, _ files: VerifiedFiles, _ reporter: VerificationReporter) {
        let items = files.entries.indices.lazy.filter { files[$0].needsReading }.map { ContentItem($0) }
        self.init(tree, ContentQueue(files, Array(items)), in: [], reporter)
    }

    /// - Returns: How many bytes were read.
    /// - Throws: If libcrypto lacks an algorithm, or memory is short. A file that cannot be read is a finding.
    func run(
        _ progress: @escaping @Sendable (BackupVerification.Progress) -> Void
    ) throws(UnderstudyError) -> UInt64 {
        let meter = VerificationMeter(total: queue.size, progress)
        try run(meter)
        meter.end()
        return meter.bytes
    }

    func run(_ meter: VerificationMeter) throws(UnderstudyError) {
        OwnThread.share("verify-files", among: min(Processors.count, queue.unitCount)) { self.work(meter) }
        if let failure = failure.read({ $0 }) { throw failure }
    }

    private func work(_ meter: VerificationMeter) {
        do throws(UnderstudyError) {
            let block: Block
            do throws(FileIOError) { block = try Block(capacity: Self.step) } catch { throw UnderstudyError(error) }
            var check = try FileCheck(reporter)
            var archive: OpenArchive?
            while !reporter.isStopped, failure.read({ $0 == nil }), let unit = queue.next() {
                let name = unit.item.archive.map { archives[$0].name.description }
                try check.begin(unit.file, unit.part, in: name)
                do throws(FileIOError) {
                    try read(unit, &archive, &check, block, meter)
                } catch {
                    report(error, unit, name)
                    continue
                }
                if !reporter.isStopped { try check.finish() }
            }
        } catch {
            failure.change { $0 = $0 ?? error }
        }
    }

    private func report(_ error: FileIOError, _ unit: ContentQueue.Unit, _ archive: String?) {
        // Of a file in parts once.
        if let part = unit.part, !part.whole.giveUp() { return }
        let shown = unit.file.shown
        reporter.report(
            .unreadable, shown, "\(error.attempt) \"\(archive ?? shown)\": \(FileIOError.text(of: error.number))",
            detail: archive.map { _ in "So \"\(shown)\" in it was not verified." })
    }

    private func read(
        _ unit: ContentQueue.Unit, _ archive: inout OpenArchive?, _ check: inout FileCheck, _ block: Block,
        _ meter: VerificationMeter
    ) throws(FileIOError) {
        guard let number = unit.item.archive else {
            // A file may have grown.
            let end = unit.isLast ? .max : unit.range.upperBound
            let file = try tree.openFile(RelativePath(bytes: unit.file.path))
            return try pass(unit.range.lowerBound..<end, of: file, from: 0, unit.file, &check, block, meter)
        }
        let open: OpenArchive
        if let archive, archive.number == number {
            open = archive
        } else {
            open = OpenArchive(number, try tree.openFile(archives[number].name))
            archive = open
        }
        try pass(unit.range, of: open.file, from: unit.item.start, unit.file, &check, block, meter)
    }

    /// - Parameters:
    ///   - range: Of the file's bytes.
    ///   - start: Where the file begins in what is read.
    private func pass(
        _ range: Range<UInt64>, of file: borrowing FileDescriptor, from start: UInt64, _ expected: ExpectedFile,
        _ check: inout FileCheck, _ block: Block, _ meter: VerificationMeter
    ) throws(FileIOError) {
        var offset = range.lowerBound
        while !reporter.isStopped, offset < range.upperBound {
            let limit = Int(min(UInt64(block.capacity), range.upperBound - offset))
            block.clear()
            try block.append(from: file, at: Int64(start + offset), atMost: limit, path: expected.shown)
            check.take(block.bytes, at: offset)
            offset += UInt64(block.count)
            meter.add(block.count)
            if block.count < limit { return }
        }
    }
}
