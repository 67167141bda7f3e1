/// Bytes to compress: the same in every run.
enum Sample: String, CaseIterable {
    /// Looks like WAL: some noise, much repetition, long runs of zeroes.
    case compressible
    case random

    static let sizes = [0, 1, 65535, 65536, 65537, 1 << 20, 16 << 20]

    func bytes(_ count: Int) -> [UInt8] {
        Array((self == .random ? Self.noise : Self.text)[..<count])
    }

    private static let noise = make { _, random in random }
    private static let text = make { index, random in
        switch (index >> 7) % 4 {
        case 0: 0
        case 1: random & 0x0f0f_0000_0f0f
        default: UInt64(index & 0xff) &* 0x0101_0001
        }
    }

    private static func make(_ word: (Int, UInt64) -> UInt64) -> [UInt8] {
        var generator = Noise(seed: 1)
        let words = (0..<2 << 20).map { word($0, generator.next()) }
        // The buffer is read only while the closure runs.
        return unsafe words.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}

/// Numbers without a pattern, the same ones for the same seed.
struct Noise: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_f491_4f6c_dd1d
    }
}
