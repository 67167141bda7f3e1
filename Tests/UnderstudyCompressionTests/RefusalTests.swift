import Testing
import UnderstudyCompression
import UnderstudyTestSupport

@Suite struct RefusalTests {
    @Test(arguments: Compression.Method.allCases)
    func `truncated input is not at its end`(method: Compression.Method) throws {
        let bytes = Sample.compressible.bytes(3000)
        let compressed = try compress(bytes, method)
        for count in compressed.indices {
            for pieces in [Pieces.whole, .of(1)] {
                let partial = try Decompressed(Array(compressed[..<count]), method, pieces: pieces)
                #expect(partial.error == nil, "\(count) bytes")
                #expect(!partial.isAtEnd, "\(count) bytes")
                #expect(bytes.starts(with: partial.bytes), "\(count) bytes")
            }
        }
    }

    @Test(arguments: Compression.Method.allCases)
    func `damaged input never passes for other bytes`(method: Compression.Method) throws {
        let bytes = Sample.compressible.bytes(3000)
        let compressed = try compress(bytes, method)
        var refused = 0
        for offset in compressed.indices {
            for mask in [UInt8](arrayLiteral: 0x01, 0x08, 0x80, 0xff) {
                var damaged = compressed
                damaged[offset] ^= mask
                let result = try Decompressed(damaged, method)
                if result.error != nil { refused += 1 }
                // Some bits of a header mean nothing: the time in that of gzip.
                #expect(
                    result.error != nil || !result.isAtEnd || result.bytes == bytes,
                    "byte \(offset), mask \(mask)")
            }
        }
        #expect(refused > compressed.count * 3)
    }

    @Test(arguments: Compression.Method.allCases, Sample.allCases)
    func `damage in a large file is found`(method: Compression.Method, sample: Sample) throws {
        let bytes = sample.bytes(1 << 20)
        let compressed = try compress(bytes, method)
        for offset in stride(from: 1000, to: compressed.count, by: compressed.count / 20) {
            var damaged = compressed
            damaged[offset] ^= 0x10
            let result = try Decompressed(damaged, method, pieces: .uneven)
            #expect(result.error?.code == .damaged || !result.isAtEnd, "byte \(offset)")
        }
    }

    @Test(arguments: Compression.Method.allCases)
    func `bytes behind the end are refused`(method: Compression.Method) throws {
        let bytes = Sample.compressible.bytes(300_000)
        let compressed = try compress(bytes, method)
        for extra in [[0], [1, 2, 3], compressed] {
            for pieces in [Pieces.whole, .of(1)] {
                let result = try Decompressed(compressed + extra, method, pieces: pieces)
                #expect(result.error?.code == .trailingBytes)
                #expect(
                    result.error?.message
                        == "could not decompress \(method) data: there are further bytes behind its end")
                #expect(same(result.bytes, bytes), "what was decoded before is handed out")
            }
        }
    }

    @Test(arguments: Compression.Method.allCases)
    func `another format is refused`(method: Compression.Method) throws {
        for other in Compression.Method.allCases where other != method {
            let compressed = try compress(Sample.compressible.bytes(3000), other)
            #expect(try Decompressed(compressed, method).error?.code == .damaged)
        }
        #expect(try Decompressed(Sample.random.bytes(100), method).error?.code == .damaged)
    }

    @Test func `the library's words are in the message`() throws {
        let noise = Sample.random.bytes(100)
        let words = [
            Compression.Method.gzip: "incorrect header check", .lz4: "ERROR_frameType_unknown",
            .zstd: "Unknown frame descriptor",
        ]
        for (method, words) in words {
            let error = try #require(try Decompressed(noise, method).error)
            #expect(error.description == "could not decompress \(method) data: \(words)")
        }
    }

    @Test(arguments: Compression.Method.allCases)
    func `a failed decompressor stays failed`(method: Compression.Method) throws {
        let good = try compress([1, 2, 3], method)
        var decompressor = try Decompressor(method)
        for input in [Sample.random.bytes(100), good, []] {
            // All bytes of an array of UInt8 are initialised.
            var rest = unsafe input.span.bytes
            var code: CompressionError.Code?
            do {
                while try decompressor.nextPiece(of: &rest) != nil {}
            } catch {
                code = error.code
            }
            #expect(code == .damaged)
        }
        let isAtEnd = decompressor.isAtEnd
        #expect(!isAtEnd)
    }

    @Test(arguments: Compression.Method.allCases)
    func `levels out of range are refused`(method: Compression.Method) throws {
        let lowest = method == .zstd ? -131_072 : 1
        for level in [Int.min, lowest - 1, method.levels.upperBound + 1, .max] {
            let error = #expect(throws: CompressionError.self) {
                _ = try Compressor(method, level: level, contentSize: nil)
            }
            #expect(error?.code == .level)
            #expect(
                error?.message == "compression level \(level) is outside of the range of \(method)"
                    + " (\(lowest) to \(method.levels.upperBound))")
        }
    }

    @Test(arguments: Compression.Method.allCases)
    func `another size than the announced one is refused`(method: Compression.Method) throws {
        for (announced, given) in [(0, 1), (1, 0), (100_000, 99_999), (100_000, 100_001)] {
            let bytes = Sample.random.bytes(given)
            let error = #expect(throws: CompressionError.self) {
                _ = try compress(bytes, method, contentSize: UInt64(announced))
            }
            #expect(error?.code == .contentSize, "\(announced), \(given)")
        }
        for size in [0, 1, 100_000] {
            let bytes = Sample.random.bytes(size)
            let compressed = try compress(bytes, method, contentSize: UInt64(size), pieces: .uneven)
            #expect(try Decompressed(compressed, method).isComplete(bytes))
        }
    }

    @Test(arguments: Compression.Method.allCases)
    func `nothing follows the end`(method: Compression.Method) throws {
        var compressor = try Compressor(method)
        var output: [UInt8] = []
        try compressor.finish(into: &output)
        let complete = output
        var codes: [CompressionError.Code] = []
        do { try compressor.compress(RawSpan(), into: &output) } catch { codes.append(error.code) }
        do { try compressor.flush(into: &output) } catch { codes.append(error.code) }
        do { try compressor.finish(into: &output) } catch { codes.append(error.code) }
        #expect(codes == [.finished, .finished, .finished])
        #expect(output == complete)
    }
}
