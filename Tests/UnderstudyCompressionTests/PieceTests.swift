import Foundation
import Testing
import UnderstudyCompression
import UnderstudyTestSupport

/// Pieces that threads compress side by side make a file that everybody reads.
@Suite struct PieceTests {
    static let cases: [(Compression.Method, Int?)] = [
        (.gzip, nil), (.gzip, 1), (.gzip, 9), (.lz4, nil), (.lz4, 12), (.zstd, nil), (.zstd, -7), (.zstd, 19),
    ]

    /// The pieces in order, between the beginning and the end.
    func compress(_ pieces: [[UInt8]], _ method: Compression.Method, level: Int?) throws -> [UInt8] {
        var frame = PieceFrame(method, level: level)
        var output = frame.beginning, previous: [UInt8] = []
        for piece in pieces {
            // A thread of its own for each.
            var compressor = try PieceCompressor(method, level: level)
            let compressed = try compressor.compress(piece, after: previous)
            previous = Array(piece.suffix(PieceCompressor.reach(of: method)))
            frame.add(compressed)
            output += compressed.bytes
        }
        return output + frame.end
    }

    @Test(arguments: cases, Sample.allCases)
    func `the tool reads the pieces as one file`(_ coding: (Compression.Method, Int?), sample: Sample) throws {
        let (method, level) = coding, folder = try TestDirectory.make("pieces")
        let sizes = [[1], [0, 1], [300_000, 300_000, 17], [70_000, 1, 400_000]]
        for (index, sizes) in sizes.enumerated() {
            let whole = sample.bytes(sizes.reduce(0, +))
            var rest = whole[...], pieces: [[UInt8]] = []
            for size in sizes {
                pieces.append(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            let packed = "\(folder)/\(index)\(method.fileSuffix)", plain = "\(folder)/\(index)"
            try Data(try compress(pieces, method, level: level)).write(to: URL(fileURLWithPath: packed))
            try Program.check(
                "/usr/bin/\(method)", ["-d", "-q", packed] + (method == .lz4 ? [plain] : []), asCaller: true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: plain)) == Data(whole))
        }
    }

    @Test func `gzip has one member, and matches reach into the piece before`() throws {
        let pieces = [[UInt8]](repeating: Sample.random.bytes(20_000), count: 4)
        let compressed = try compress(pieces, .gzip, level: nil)
        // Everything but the first piece was there already.
        #expect(compressed.count < 22_000)
        // A second member would be bytes behind the end.
        #expect(try Decompressed(compressed, .gzip).isComplete(pieces.flatMap { $0 }))
    }

    @Test func `a piece may be compressed by a compressor that was used before`() throws {
        for method in Compression.Method.allCases {
            var compressor = try PieceCompressor(method, level: nil)
            let piece = Sample.compressible.bytes(100_000)
            let first = try compressor.compress(piece, after: [])
            #expect(try compressor.compress(piece, after: []).bytes == first.bytes)
        }
    }

    @Test func `Zstandard's own threads and long distances make one frame`() throws {
        let bytes = Sample.random.bytes(3 << 20) + Sample.compressible.bytes(1 << 20)
        for tuning in [
            ZstdTuning(workers: 3), ZstdTuning(longDistance: true), ZstdTuning(workers: 1, longDistance: true),
        ] {
            var compressor = try Compressor(.zstd, tuning: tuning), output: [UInt8] = []
            // The array outlives the call.
            try compressor.compress(unsafe bytes.span.bytes, into: &output)
            try compressor.finish(into: &output)
            #expect(try Decompressed(output, .zstd).isComplete(bytes))
        }
    }
}
