import Testing
import UnderstudyTestSupport

/// How bytes are cut before they are fed to a reader.
enum Cut: CustomTestStringConvertible {
    case whole
    case every(Int)
    /// In two, before this byte.
    case at(Int)
    /// Pieces of 1 to `limit` bytes, small ones as often as large ones.
    case random(seed: UInt64, limit: Int)

    var testDescription: String { "\(self)" }

    func ranges(of count: Int) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        var generator = SplitMix64(state: 0)
        if case .random(let seed, _) = self { generator.state = seed }
        while start < count {
            let length =
                switch self {
                case .whole: count
                case .every(let length): length
                case .at(let place): start < place ? place - start : count
                case .random(_, let limit):
                    Int.random(in: 1...max(1, limit >> Int.random(in: 0...14, using: &generator)), using: &generator)
                }
            let end = min(count, start + length)
            ranges.append(start..<end)
            start = end
        }
        return ranges
    }
}

extension [UInt8] {
    init(ascii text: String) {
        self.init(text.utf8)
    }

    var hexadecimal: String {
        map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
    }
}
