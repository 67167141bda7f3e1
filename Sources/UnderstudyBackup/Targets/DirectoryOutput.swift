import UnderstudyCore
import UnderstudyPlatform

/// Writes files into directories.
struct DirectoryOutput: MemberOutput, ~Copyable {
    struct Place: Sendable {
        var directory: ConfinedDirectory
        var relative: RelativePath
        var mode: UInt16
        /// Whether the file must be on stable storage before it is closed.
        var sync: Bool
        /// Whether long runs of zeros become holes.
        var leavesHoles: Bool
        /// Whether the file may be there, and is updated in place.
        var updates = false
    }

    private var file: OutputFile?
    private var piece: OpenPiece?
    private var sync = false

    mutating func open(_ place: Place, size: UInt64, piece: FilePiece?) throws(FileIOError) {
        sync = place.sync
        if let piece {
            self.piece = try OpenPiece(piece, place, size: size)
        } else {
            file = try OutputFile(
                in: place.directory, place.relative, mode: place.mode, size: size, leavesHoles: place.leavesHoles,
                updates: place.updates)
        }
    }

    mutating func write(_ bytes: RawSpan) throws(FileIOError) {
        try piece?.write(bytes)
        try file?.write(bytes)
    }

    mutating func passOver(_ bytes: RawSpan) throws(FileIOError) {
        try piece?.passOver(bytes)
        try file?.passOver(bytes)
    }

    mutating func close() throws(FileIOError) {
        try piece?.finish(sync: sync)
        piece = nil
        try file.take()?.finish(sync: sync)
    }

    mutating func finish() {}
}

/// The manifest of a backup in a directory, under a temporary name.
final class ManifestFileOutput: ManifestOutput {
    private var file: FileDescriptor?
    private let path: String
    private let syncs: Bool
    private var offset: Int64 = 0

    /// Every server leaves names with this prefix out of a base backup, so no file of the copy can have this name.
    static let temporaryName: RelativePath = "pgsql_tmp.understudy.backup_manifest"
    static let name: RelativePath = "backup_manifest"

    init(in directory: ConfinedDirectory, mode: UInt16, syncs: Bool) throws(UnderstudyError) {
        path = directory.fullPath(Self.temporaryName)
        self.syncs = syncs
        do throws(FileIOError) { file = try directory.createFile(Self.temporaryName, mode: mode) } catch {
            throw UnderstudyError(error)
        }
    }

    func write(_ bytes: RawSpan) throws(UnderstudyError) {
        do throws(FileIOError) { try file!.write(bytes, at: offset, path: path) } catch { throw UnderstudyError(error) }
        offset += Int64(bytes.byteCount)
    }

    func close() throws(UnderstudyError) {
        guard let file = file.take() else { return }
        do throws(FileIOError) {
            if syncs { try file.sync(path: path) }
            try file.close(path: path)
        } catch { throw UnderstudyError(error) }
    }
}
