/// A compression method for files, by its name on the command line.
package enum CompressionMethod: String, Hashable, Sendable, CaseIterable {
    case gzip, lz4, zstd

    /// The suffix of a compressed file's name, without the dot; the stock tools expect these.
    package var fileSuffix: String {
        switch self {
        case .gzip: "gz"
        case .lz4: "lz4"
        case .zstd: "zst"
        }
    }

    /// From the fastest to the smallest.
    package var levels: ClosedRange<Int> {
        switch self {
        case .gzip: 1...9
        case .lz4: 1...12
        case .zstd: 1...22
        }
    }

    /// The library's own default level; zlib calls it -1, the other two call it 0.
    package var defaultLevel: Int {
        switch self {
        case .gzip: 6
        case .lz4: 1
        case .zstd: 3
        }
    }
}
