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
            var digest = try Self.digest(nil)
            while !reporter.isStopped, failure.read({ $0 == nil }) {
                let position = next.add(1, ordering: .relaxed).oldValue
                guard position < indices.count else { return }
                let index = Int(indices[position])
                if digest.algorithm != files[index].algorithm { digest = try Self.digest(files[index].algorithm) }
                digest.reset()
                try verify(index, &digest, block, meter)
            }
        } catch {
            failure.change { $0 = $0 ?? error }
        }
    }

    static func digest(_ algorithm: ChecksumAlgorithm?) throws(UnderstudyError) -> FileDigest {
        do throws(BackupFormatError) { return try FileDigest(algorithm) } catch {
            throw UnderstudyError(.resources, error.message, detail: error.detail, cause: error)
        }
    }

    private func verify(
        _ index: Int, _ digest: inout FileDigest, _ block: Block, _ meter: VerificationMeter
    ) throws(UnderstudyError) {
        let path = RelativePath(bytes: files.path(index))
        let shown = MemberPath.escaped(path.bytes)
        var count: UInt64 = 0
        do throws(FileIOError) {
            let file = try tree.openFile(path)
            while !reporter.isStopped {
                block.clear()
                try block.append(from: file, at: Int64(count), atMost: block.capacity, path: shown)
                if block.count == 0 { break }
                digest.update(block.bytes)
                count += UInt64(block.count)
                meter.add(block.count)
            }
        } catch {
            return reporter.report(
                .unreadable, shown, "\(error.attempt) \"\(shown)\": \(FileIOError.text(of: error.number))")
        }
        if reporter.isStopped { return }
        let checksum: FileChecksum?
        do throws(BackupFormatError) { checksum = try digest.finish() } catch {
            throw UnderstudyError(.resources, error.message, detail: error.detail, cause: error)
        }
        ContentComparison(files, index, archive: nil).flaw(count, checksum).map { reporter.report($0) }
    }
}

/// What is wrong with the content of a file of the manifest.
struct ContentComparison {
    private let files: VerifiedFiles
    private let index: Int
    private let archive: String?

    /// - Parameter archive: The archive that it is in.
    init(_ files: VerifiedFiles, _ index: Int, archive: String?) {
        self.files = files
        self.index = index
        self.archive = archive
    }

    func flaw(_ count: UInt64, _ checksum: FileChecksum?) -> BackupFinding? {
        let entry = files[index], shown = MemberPath.escaped(files.path(index))
        let name = archive.map { "file \"\(shown)\" in archive \"\($0)\"" } ?? "file \"\(shown)\""
        guard count == entry.size else {
            let read = archive == nil ? "but read \(count)" : "but \(count) bytes were read"
            return BackupFinding(
                kind: .size, path: shown, message: "\(name) should contain \(entry.size) bytes, \(read)")
        }
        guard !entry.hasUnfitChecksum else {
            let expected = entry.algorithm?.byteCount ?? 0
            return BackupFinding(
                kind: .checksum, path: shown,
                message: "\(name) has checksum of length \(entry.checksumCount), but expected \(expected)")
        }
        guard checksum != nil, checksum == files.checksum(index) else {
            return BackupFinding(kind: .checksum, path: shown, message: "checksum mismatch for \(name)")
        }
        return nil
    }
}
