import UnderstudyBackupFormat
import UnderstudyPlatform

/// A part of a long file, which threads read at the same time as others.
struct FilePart: Sendable {
    let whole: CutFile
    let number: Int

    /// What was read: how many bytes, and their checksum.
    struct Sum: Sendable {
        var count: UInt64
        var checksum: FileChecksum?
    }
}

/// A file that is read in parts: its checksum is put together from theirs.
final class CutFile: Sendable {
    private struct State {
        /// That of the first parts.
        var whole: FilePart.Sum?
        /// How many parts these are.
        var joined = 0
        /// Those that came before their turn.
        var waiting: [Int: FilePart.Sum] = [:]
        var isGivenUp = false
    }

    private let parts: Int
    private let state = Monitor(State())

    /// The size of each part but the last: that of 2,048 pages of 8 kB.
    static let partSize: UInt64 = 16 << 20

    init(parts: Int) {
        self.parts = parts
    }

    /// - Returns: How many parts a file is read in.
    static func parts(size: UInt64, _ algorithm: ChecksumAlgorithm?) -> Int {
        // Checksums of other algorithms cannot be put together.
        algorithm == .crc32c && size > partSize ? Int((size - 1) / partSize) + 1 : 1
    }

    /// - Returns: What the whole file has, with the part that comes last; nil before, or if one could not be read.
    func add(_ sum: FilePart.Sum, _ number: Int) -> FilePart.Sum? {
        state.change { state in
            state.waiting[number] = sum
            while let next = state.waiting.removeValue(forKey: state.joined) {
                state.whole = state.whole?.followed(by: next) ?? next
                state.joined += 1
            }
            return state.joined == parts && !state.isGivenUp ? state.whole : nil
        }
    }

    /// - Returns: Whether it was not given up before.
    func giveUp() -> Bool {
        state.change { state in
            defer { state.isGivenUp = true }
            return !state.isGivenUp
        }
    }
}

extension FilePart.Sum {
    fileprivate func followed(by other: FilePart.Sum) -> FilePart.Sum {
        var checksum: FileChecksum?
        if let mine = self.checksum, let second = other.checksum {
            checksum = mine.followed(by: second, byteCount: other.count)
        }
        return FilePart.Sum(count: count + other.count, checksum: checksum)
    }
}
