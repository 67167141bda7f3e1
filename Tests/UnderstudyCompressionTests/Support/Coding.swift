import UnderstudyCompression
import UnderstudyTestSupport

/// How many bytes come at a time.
enum Pieces {
    case whole
    case of(Int)
    /// From none to some 100 kB.
    case uneven

    func split(_ bytes: [UInt8], _ body: (RawSpan) throws -> Void) rethrows {
        var generator = Noise(seed: 7)
        var offset = 0
        repeat {
            let left = bytes.count - offset
            let count =
                switch self {
                case .whole: left
                case .of(let count): min(count, left)
                case .uneven:
                    min(
                        Int.random(in: 0...3, using: &generator) == 0
                            ? 0 : Int.random(in: 1...100_000, using: &generator), left)
                }
            // All bytes of an array of UInt8 are initialised.
            try body(unsafe bytes.span.bytes.extracting(offset..<offset + count))
            offset += count
        } while offset < bytes.count
    }
}

func compress(
    _ bytes: [UInt8], _ method: Compression.Method, level: Int? = nil, contentSize: UInt64? = nil,
    pieces: Pieces = .whole
) throws -> [UInt8] {
    var compressor = try Compressor(method, level: level, contentSize: contentSize)
    var output: [UInt8] = []
    try pieces.split(bytes) { try compressor.compress($0, into: &output) }
    try compressor.finish(into: &output)
    return output
}

struct Decompressed {
    var bytes: [UInt8] = []
    var isAtEnd = false
    var error: CompressionError?

    init(_ input: [UInt8], _ method: Compression.Method, pieces: Pieces = .whole) throws {
        var decompressor = try Decompressor(method)
        do {
            try pieces.split(input) { piece in
                var rest = piece
                while let plain = try decompressor.nextPiece(of: &rest) {
                    // Both are valid while the closure runs.
                    unsafe plain.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
                    if plain.isEmpty { fatalError("an empty piece would never end") }
                }
                if !rest.isEmpty { fatalError("nil came before the input was read") }
            }
        } catch let failure as CompressionError {
            error = failure
        }
        isAtEnd = decompressor.isAtEnd
    }
}

extension Decompressed {
    /// Whether it came to the end, with these bytes.
    func isComplete(_ expected: [UInt8]) -> Bool {
        error == nil && isAtEnd && same(bytes, expected)
    }
}
