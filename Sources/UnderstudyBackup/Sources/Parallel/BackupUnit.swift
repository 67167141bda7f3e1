import UnderstudyBackupFormat

/// What is copied in one go, over one connection: ranges of files of one archive.
struct BackupUnit {
    /// The index of the archive.
    var archive: Int
    var parts: [Part]
    /// Directories that come before all else of the archive.
    var directories: [TarEntry] = []
    /// For sinks that take turns.
    var turn = BackupTurn(number: 0)

    /// A file, or a piece of one.
    struct Part {
        var entry: TarEntry
        /// As the server takes it.
        var path: String
        /// nil for the whole file.
        var piece: FilePiece?

        var range: Range<UInt64> { piece?.range ?? 0..<entry.size }
    }
}
