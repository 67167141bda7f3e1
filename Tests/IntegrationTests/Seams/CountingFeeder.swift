import UnderstudyBackupFormat
import UnderstudyProtocol

@testable import UnderstudyBackup
@testable import UnderstudyCore

struct CountingFeeder: MemberFeeder {
    typealias Failure = UnderstudyError

    private var filler: BatchFiller<CountingOutput>
    private var prefix: MemberPath?
    private var isFile = false

    init(filler: BatchFiller<CountingOutput>) {
        self.filler = filler
    }

    mutating func beginArchive(_ archive: AnnouncedArchive) throws(UnderstudyError) {
        prefix = archive.oid.flatMap { try? MemberPath("pg_tblspc/\($0)") }
    }

    mutating func drain() throws(UnderstudyError) {
        try filler.drain()
    }

    mutating func begin(_ entry: TarEntry) throws(UnderstudyError) {
        isFile = entry.kind == .file
        guard isFile else { return }
        let path = prefix.map { $0.appending(entry.path) } ?? entry.path
        try filler.open(FileToWrite(manifestPath: path, size: entry.size, place: true))
    }

    mutating func content(_ bytes: RawSpan) throws(UnderstudyError) {
        try filler.append(bytes)
    }

    mutating func end() throws(UnderstudyError) {
        if isFile { filler.close() }
    }
}
