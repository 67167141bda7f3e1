import Foundation
import Testing
import UnderstudyCompression
import UnderstudyTestSupport

/// The programs that people keep such files with.
@Suite struct CommandLineToolTests {
    static let cases: [(Compression.Method, Int)] = Compression.Method.allCases.flatMap { method in
        [(method, 0), (method, 1), (method, 65537), (method, 16 << 20)]
    }

    func program(of method: Compression.Method) -> String { "/usr/bin/\(method)" }

    /// lz4 writes to its standard output, if that is no terminal and no other file is named.
    func naming(_ target: String, for method: Compression.Method) -> [String] { method == .lz4 ? [target] : [] }

    @Test(arguments: cases)
    func `the tool reads what we write`(method: Compression.Method, size: Int) throws {
        let folder = try TestDirectory.make("tools")
        let bytes = Sample.compressible.bytes(size)
        for (name, contentSize) in [("known", UInt64(size)), ("unknown", nil)] {
            let file = "\(folder)/\(name)"
            let packed = "\(file)\(method.fileSuffix)"
            let compressed = try compress(bytes, method, contentSize: contentSize, pieces: .uneven)
            try Data(compressed).write(to: URL(fileURLWithPath: packed))
            try Program.check(program(of: method), ["-t", packed], asCaller: true)
            try Program.check(program(of: method), ["-d", "-q", packed] + naming(file, for: method), asCaller: true)
            #expect(same(try contents(of: file), bytes))
        }
    }

    @Test(arguments: cases)
    func `we read what the tool writes`(method: Compression.Method, size: Int) throws {
        let folder = try TestDirectory.make("tools")
        let bytes = Sample.compressible.bytes(size)
        for level in [method.levels.lowerBound, method.defaultLevel, 9] {
            let file = "\(folder)/level\(level)"
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            let packed = "\(file)\(method.fileSuffix)"
            try Program.check(
                program(of: method), ["-\(level)", "-q", "-k", "-f", file] + naming(packed, for: method),
                asCaller: true)
            let compressed = try contents(of: packed)
            #expect(try Decompressed(compressed, method, pieces: .uneven).isComplete(bytes))
        }
    }

    @Test(arguments: Compression.Method.allCases)
    func `the tool finds our truncated and damaged files bad`(method: Compression.Method) throws {
        let folder = try TestDirectory.make("tools")
        let compressed = try compress(Sample.compressible.bytes(1 << 20), method)
        var damaged = compressed
        damaged[compressed.count / 2] ^= 1
        for (name, bytes) in [("truncated", Array(compressed.dropLast())), ("damaged", damaged)] {
            let packed = "\(folder)/\(name)\(method.fileSuffix)"
            try Data(bytes).write(to: URL(fileURLWithPath: packed))
            let result = try Program.run(program(of: method), ["-t", packed], asCaller: true)
            #expect(result.status != 0, "\(result)")
        }
    }

    func contents(of path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }
}
