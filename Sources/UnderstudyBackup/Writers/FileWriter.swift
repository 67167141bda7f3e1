import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// The second stage of a writer, behind the checksum: where the bytes of files go. Used by one thread.
protocol MemberOutput: ~Copyable, SendableMetatype {
    /// What the output must know about a file besides its size.
    associatedtype Place: Sendable

    /// - Parameter piece: What comes of it; nil for all. Only outputs whose sinks take pieces are given any.
    mutating func open(_ place: Place, size: UInt64, piece: FilePiece?) throws(FileIOError)
    mutating func write(_ bytes: RawSpan) throws(FileIOError)
    /// Passes over bytes that the file holds already.
    mutating func passOver(_ bytes: RawSpan) throws(FileIOError)
    /// Ends the open file.
    mutating func close() throws(FileIOError)
    /// Writes bytes of an archive that is kept as it comes.
    mutating func keep(_ bytes: RawSpan, in place: Place) throws(FileIOError)
    /// Nothing more will come.
    mutating func finish() throws(FileIOError)
}

extension MemberOutput where Self: ~Copyable {
    /// For outputs that hold nothing yet.
    mutating func passOver(_ bytes: RawSpan) throws(FileIOError) { try write(bytes) }

    /// For outputs whose feeders keep no archives.
    mutating func keep(_ bytes: RawSpan, in place: Place) {}
}

/// Passes the files of one feeder through both stages. Used by one thread.
final class FileWriter<Output: MemberOutput & ~Copyable> {
    private var digest: MemberDigest
    private var output: Output
    private let interrupt: Interrupt?
    private var file: FileToWrite<Output.Place>?

    init(digest: consuming MemberDigest, output: consuming Output, interrupt: Interrupt?) {
        self.digest = digest
        self.output = output
        self.interrupt = interrupt
    }

    func perform(_ batch: WriteBatch<Output.Place>) throws(UnderstudyError) {
        do throws(FileIOError) {
            // A batch may have a thousand files, and syncing each may take a while.
            try checkInterrupt()
            for command in batch.commands {
                switch command {
                case .open(let file):
                    try checkInterrupt()
                    try output.open(file.place, size: file.size, piece: file.piece)
                    self.file = file
                    digest.begin()
                case .data(let range):
                    let bytes = batch.block.bytes.extracting(range)
                    digest.update(bytes)
                    try output.write(bytes)
                case .present(let range):
                    let bytes = batch.block.bytes.extracting(range)
                    digest.update(bytes)
                    try output.passOver(bytes)
                case .close:
                    try checkInterrupt()
                    try output.close()
                    guard let file = file.take(), let path = file.manifestPath else { continue }
                    digest.end(path, file.size, modified: file.modificationTime, piece: file.piece)
                case .kept(let range, let place): try output.keep(batch.block.bytes.extracting(range), in: place)
                }
            }
        } catch { throw UnderstudyError(error) }
    }

    func finish() throws(UnderstudyError) {
        do throws(FileIOError) { try output.finish() } catch { throw UnderstudyError(error) }
    }

    private func checkInterrupt() throws(FileIOError) {
        if let interrupt, interrupt.isRaised { throw .interrupted(file?.manifestPath.map { "\($0)" } ?? "") }
    }
}
