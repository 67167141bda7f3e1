import UnderstudyBackupFormat
import UnderstudyPlatform

/// The content of a file of the manifest, which is a file of its own or a member of an archive.
struct ContentItem: Sendable {
    private let file: UInt32
    /// Negative for none.
    private let archiveNumber: Int32
    /// Where the content begins in the archive.
    let start: UInt64

    init(_ index: Int) {
        file = UInt32(index)
        archiveNumber = -1
        start = 0
    }

    init(_ index: Int, archive: Int, start: UInt64) {
        file = UInt32(index)
        archiveNumber = Int32(archive)
        self.start = start
    }

    /// That of the file in the manifest.
    var index: Int { Int(file) }
    /// Which of the archives it is in; nil for a file of its own.
    var archive: Int? { archiveNumber < 0 ? nil : Int(archiveNumber) }
}

/// Hands contents out to several threads: long ones first, and those in parts whose checksums can be put together, so that
/// no thread is the last one for long.
final class ContentQueue: Sendable {
    /// What one thread reads: bytes of a file.
    struct Unit: Sendable {
        var item: ContentItem
        var file: ExpectedFile
        var part: FilePart?
        var range: Range<UInt64>
        /// Whether the file should end there.
        var isLast: Bool { range.upperBound == file.size }
    }

    private struct State {
        /// In `long`, and then in `items`.
        var position = 0
        /// Of the file at the position: how many parts of it were handed out.
        var partsDone = 0
        var cut: CutFile?
    }

    private let files: VerifiedFiles
    private let items: [ContentItem]
    private let long: [ContentItem]
    private let state = Monitor(State())
    /// In bytes.
    let size: UInt64
    /// How many threads can be at work.
    let unitCount: Int

    private static let longSize: UInt64 = 16 << 20

    init(_ files: VerifiedFiles, _ items: [ContentItem]) {
        self.files = files
        self.items = items
        long = items.filter { files[$0.index].size >= Self.longSize }
            .sorted { files[$0.index].size > files[$1.index].size }
        size = Self.size(of: items, files)
        unitCount = long.reduce(items.count - long.count) { $0 + Self.parts(files[$1.index]) }
    }

    /// How many bytes the contents have.
    static func size(of items: [ContentItem], _ files: VerifiedFiles) -> UInt64 {
        items.reduce(0) { $0 + files[$1.index].size }
    }

    /// - Returns: nil if there are no more.
    func next() -> Unit? {
        let next = state.change { state -> (ContentItem, FilePart?)? in
            // In their place among the others, long ones were handed out already.
            while state.position >= long.count, let item = item(at: state.position),
                files[item.index].size >= Self.longSize
            { state.position += 1 }
            guard let item = item(at: state.position) else { return nil }
            let parts = Self.parts(files[item.index])
            guard parts > 1 else {
                state.position += 1
                return (item, nil)
            }
            let cut = state.cut ?? CutFile(parts: parts), number = state.partsDone
            state.cut = cut
            state.partsDone += 1
            if state.partsDone == parts {
                state.position += 1
                state.partsDone = 0
                state.cut = nil
            }
            return (item, FilePart(whole: cut, number: number))
        }
        guard let (item, part) = next else { return nil }
        let file = files.expected(item.index)
        let start = UInt64(part?.number ?? 0) * CutFile.partSize
        let end = part == nil ? file.size : min(file.size, start + CutFile.partSize)
        return Unit(item: item, file: file, part: part, range: start..<end)
    }

    private func item(at position: Int) -> ContentItem? {
        if position < long.count { return long[position] }
        return position - long.count < items.count ? items[position - long.count] : nil
    }

    private static func parts(_ entry: VerifiedFiles.Entry) -> Int {
        CutFile.parts(size: entry.size, entry.algorithm)
    }
}
