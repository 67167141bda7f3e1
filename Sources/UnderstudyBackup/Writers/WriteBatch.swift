import UnderstudyBackupFormat
import UnderstudyPlatform

/// One step of a writer's work on a batch.
enum WriteCommand<Place: Sendable>: Sendable {
    case open(FileToWrite<Place>)
    /// Bytes of the batch's block for the open file.
    case data(Range<Int>)
    case close
    /// Bytes of the batch's block that belong to no file: those of an archive that is kept as it comes.
    case kept(Range<Int>, in: Place)
}

/// A file to be written.
struct FileToWrite<Place: Sendable>: Sendable {
    /// Its path in the backup manifest, relative to the data directory; nil for what no manifest lists.
    var manifestPath: MemberPath?
    var size: UInt64
    /// Where the output puts it.
    var place: Place
}

/// A block and the commands for its bytes. Many small files share a block; a large file continues in the next.
struct WriteBatch<Place: Sendable>: Sendable {
    var block: Block
    var commands: [WriteCommand<Place>] = []
    var writer: Int

    /// Empty files take no space in the block: this bounds the list.
    static var mostCommands: Int { 1024 }
}
