import UnderstudyBackupFormat
import UnderstudyPlatform

/// One step of a writer's work on a batch.
enum WriteCommand<Place: Sendable>: Sendable {
    case open(FileToWrite<Place>)
    /// Bytes of the batch's block for the open file.
    case data(Range<Int>)
    /// The same of bytes that the file holds already.
    case present(Range<Int>)
    case close
    /// Bytes of the batch's block that belong to no file: those of an archive that is kept as it comes.
    case kept(Range<Int>, in: Place)
}

/// A file to be written.
struct FileToWrite<Place: Sendable>: Sendable {
    /// Its path in the backup manifest, relative to the data directory; nil for what no manifest lists.
    var manifestPath: MemberPath?
    var size: UInt64
    /// When it was last written on the server, in seconds since 1970-01-01 00:00:00 UTC.
    var modificationTime: Int64 = 0
    /// Where the output puts it.
    var place: Place
    /// The piece of it that comes; nil for all of it.
    var piece: FilePiece? = nil

    /// How many bytes come.
    var count: UInt64 { piece?.count ?? size }
}

/// A block and the commands for its bytes. Many small files share a block; a large file continues in the next.
struct WriteBatch<Place: Sendable>: Sendable {
    var block: Block
    var commands: [WriteCommand<Place>] = []
    var writer: Int
    /// The feeder that filled it: its files do not mix with those of others.
    var feeder: Int

    /// Adds content of the open file.
    ///
    /// - Parameter isPresent: Whether the file holds it already.
    mutating func add(_ range: Range<Int>, isPresent: Bool) {
        switch commands.last {
        case .data(let last)? where !isPresent && last.upperBound == range.lowerBound:
            commands[commands.count - 1] = .data(last.lowerBound..<range.upperBound)
        case .present(let last)? where isPresent && last.upperBound == range.lowerBound:
            commands[commands.count - 1] = .present(last.lowerBound..<range.upperBound)
        default: commands.append(isPresent ? .present(range) : .data(range))
        }
    }

    /// Empty files take no space in the block: this bounds the list.
    static var mostCommands: Int { 1024 }
}
