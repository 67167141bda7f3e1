import Synchronization
import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// Reads files and compares their checksums with those of the manifest, several at a time.
final class ContentVerification: Sendable {
    private let tree: ReadOnlyTree
    private let files: VerifiedFiles
    private let reporter: VerificationReporter
    /// Those to be read; long ones first, so that none is left over at the end.
    private let indices: [UInt32]
    private let next = Atomic(0)
    private let failure = Monitor<UnderstudyError?>(nil)

    private static let step = 1 << 18
    private static let longSize: UInt64 = 16 << 20

    init(_ tree: ReadOnlyTree, _ files: VerifiedFiles, _ reporter: VerificationReporter) {
        self.tree = tree
        self.files = files
        self.reporter = reporter
        var long: [UInt32] = [], short: [UInt32] = []
        for index in files.entries.indices where files[index].needsReading {
            if files[index].size >= Self.longSize { long.append(UInt32(index)) } else { short.append(UInt32(index)) }
        }
        indices = long.sorted { files[Int($0)].size > files[Int($1)].size } + short
    }

    /// - Returns: How many bytes were read.
    /// - Throws: If libcrypto lacks an algorithm, or memory is short. A file that cannot be read is a finding.
    func run(
        _ progress: @escaping @Sendable (BackupVerification.Progress) -> Void
    ) throws(UnderstudyError) -> UInt64 {
        let meter = VerificationMeter(total: indices.reduce(0) { $0 + files[Int($1)].size }, progress)
        var threads: [OwnThread] = []
        // Where no thread is to be had, fewer do.
        for _ in 1..<max(1, min(Processors.count, indices.count)) {
            guard let thread = try? OwnThread("verify-files", { self.work(meter) }) else { break }
            threads.append(thread)
        }
        work(meter)
        for thread in threads { thread.join() }
        if let failure = failure.read({ $0 }) { throw failure }
        meter.end()
        return meter.bytes
    }

    private func work(_ meter: VerificationMeter) {
        do throws(UnderstudyError) {
            let block: Block
            do throws(FileIOError) { block = try Block(capacity: Self.step) } catch { throw UnderstudyError(error) }
            var check = try FileCheck(reporter)
            while !reporter.isStopped, failure.read({ $0 == nil }) {
                let position = next.add(1, ordering: .relaxed).oldValue
                guard position < indices.count else { return }
                try read(files.expected(Int(indices[position])), &check, block, meter)
            }
        } catch {
            failure.change { $0 = $0 ?? error }
        }
    }

    private func read(
        _ file: ExpectedFile, _ check: inout FileCheck, _ block: Block, _ meter: VerificationMeter
    ) throws(UnderstudyError) {
        try check.begin(file)
        var offset: UInt64 = 0
        do throws(FileIOError) {
            let descriptor = try tree.openFile(RelativePath(bytes: file.path))
            while !reporter.isStopped {
                block.clear()
                try block.append(from: descriptor, at: Int64(offset), atMost: block.capacity, path: file.shown)
                if block.count == 0 { break }
                check.take(block.bytes, at: offset)
                offset += UInt64(block.count)
                meter.add(block.count)
            }
        } catch {
            return reporter.report(
                .unreadable, file.shown, "\(error.attempt) \"\(file.shown)\": \(FileIOError.text(of: error.number))")
        }
        if !reporter.isStopped { try check.finish() }
    }
}
