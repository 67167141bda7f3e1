import Testing
import UnderstudyCompression
import UnderstudyTestSupport

@Suite struct RoundTripTests {
    @Test(arguments: Compression.Method.allCases, Sample.allCases)
    func `what is compressed comes back`(method: Compression.Method, sample: Sample) throws {
        for size in Sample.sizes {
            let bytes = sample.bytes(size)
            let compressed = try compress(bytes, method, pieces: .uneven)
            let again = try Decompressed(compressed, method, pieces: .uneven)
            #expect(again.isComplete(bytes), "\(size) bytes: \(String(describing: again.error))")
            if sample == .compressible && size > 1 { #expect(compressed.count < size / 2) }
        }
    }

    @Test(arguments: Compression.Method.allCases)
    func `every level comes back`(method: Compression.Method) throws {
        let bytes = Sample.compressible.bytes(200_000)
        var sizes: [Int] = []
        for level in method.levels {
            let compressed = try compress(
                bytes, method, level: level, contentSize: UInt64(bytes.count), pieces: .uneven)
            let again = try Decompressed(compressed, method, pieces: .uneven)
            #expect(again.isComplete(bytes), "level \(level): \(String(describing: again.error))")
            sizes.append(compressed.count)
        }
        #expect(sizes.last! < sizes.first!)
        #expect(try compress(bytes, method) == compress(bytes, method, level: method.defaultLevel))
    }

    @Test(arguments: Compression.Method.allCases)
    func `a large file comes back from a high level`(method: Compression.Method) throws {
        let bytes = Sample.compressible.bytes(16 << 20)
        let level = method == .zstd ? 12 : method.levels.upperBound
        let compressed = try compress(bytes, method, level: level, contentSize: 16 << 20, pieces: .uneven)
        let again = try Decompressed(compressed, method, pieces: .of(4096))
        #expect(again.isComplete(bytes))
    }

    @Test(arguments: Compression.Method.allCases)
    func `one byte at a time is enough`(method: Compression.Method) throws {
        let bytes = Sample.compressible.bytes(100_000)
        let compressed = try compress(bytes, method, pieces: .of(1))
        let again = try Decompressed(compressed, method, pieces: .of(1))
        #expect(again.isComplete(bytes))
    }

    @Test(arguments: Compression.Method.allCases, Sample.allCases)
    func `after a flush all that was given can be decoded`(method: Compression.Method, sample: Sample) throws {
        let bytes = sample.bytes(300_000)
        var compressor = try Compressor(method, level: nil, contentSize: nil)
        var output: [UInt8] = []
        var given = 0
        for count in [0, 1, 0, 100, 65536, 200_000, 7] {
            // All bytes of an array of UInt8 are initialised.
            try compressor.compress(unsafe bytes.span.bytes.extracting(given..<given + count), into: &output)
            given += count
            try compressor.flush(into: &output)
            let soFar = try Decompressed(output, method)
            #expect(soFar.error == nil)
            #expect(!soFar.isAtEnd)
            #expect(same(soFar.bytes, Array(bytes[..<given])), "after \(given) bytes")
        }
        try compressor.finish(into: &output)
        #expect(try Decompressed(output, method).isComplete(Array(bytes[..<given])))
    }

    /// A block of Zstandard that cannot be compressed is larger than what the library writes into.
    @Test(arguments: Compression.Method.allCases)
    func `a flush goes on until all is out`(method: Compression.Method) throws {
        for size in [65_530, 65_535, 65_536, 131_060, 131_068, 131_071, 131_072] {
            let bytes = Sample.random.bytes(size)
            var compressor = try Compressor(method)
            var output: [UInt8] = []
            // All bytes of an array of UInt8 are initialised.
            try compressor.compress(unsafe bytes.span.bytes, into: &output)
            try compressor.flush(into: &output)
            #expect(same(try Decompressed(output, method).bytes, bytes), "\(size) bytes")
        }
    }

    @Test(arguments: Compression.Method.allCases)
    func `nothing may come any number of times`(method: Compression.Method) throws {
        var compressor = try Compressor(method)
        var compressed: [UInt8] = []
        for byte in UInt8(0)..<4 {
            for _ in 0..<100 { try compressor.compress(RawSpan(), into: &compressed) }
            let one = [byte]
            // All bytes of an array of UInt8 are initialised.
            try compressor.compress(unsafe one.span.bytes, into: &compressed)
        }
        for _ in 0..<100 { try compressor.flush(into: &compressed) }
        try compressor.finish(into: &compressed)

        var decompressor = try Decompressor(method)
        var plain = 0
        for index in compressed.indices {
            for count in [Int](repeating: 0, count: 100) + [1] {
                // As above.
                var rest = unsafe compressed.span.bytes.extracting(index..<index + count)
                while let piece = try decompressor.nextPiece(of: &rest) { plain += piece.byteCount }
            }
        }
        let isAtEnd = decompressor.isAtEnd
        #expect(isAtEnd)
        #expect(plain == 4)
    }

    @Test(arguments: Compression.Method.allCases)
    func `what is in the output already stays there`(method: Compression.Method) throws {
        var compressor = try Compressor(method)
        var output: [UInt8] = [1, 2, 3]
        try compressor.flush(into: &output)
        try compressor.finish(into: &output)
        #expect(output.prefix(3) == [1, 2, 3])
        #expect(try Decompressed(Array(output.dropFirst(3)), method).isComplete([]))
    }

    @Test func `the trailer of gzip ends with the size`() throws {
        let compressed = try compress(Sample.random.bytes(65537), .gzip)
        #expect(compressed.suffix(4) == [1, 0, 1, 0])
    }

    @Test func `a known size is in the header where there is a place for it`() throws {
        let bytes = Sample.random.bytes(0x54321)
        let size: [UInt8] = [0x21, 0x43, 0x05, 0x00]
        for method in [Compression.Method.lz4, .zstd] {
            let known = try compress(bytes, method, contentSize: UInt64(bytes.count), pieces: .uneven)
            let unknown = try compress(bytes, method, pieces: .uneven)
            let offset = method == .lz4 ? 6 : 5
            #expect(Array(known[offset..<offset + 4]) == size, "\(method)")
            #expect(Array(unknown[offset..<offset + 4]) != size, "\(method)")
        }
    }
}
