/// How files are compressed, named by what the command line says.
package enum CompressionMethod: String, Hashable, Sendable, CaseIterable {
    case gzip, lz4, zstd

    /// What follows the dot in the name of a compressed file; the names that the stock tools look for.
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

    /// The level that each library takes when none is asked for; zlib calls it -1, the other two call it 0.
    package var defaultLevel: Int {
        switch self {
        case .gzip: 6
        case .lz4: 1
        case .zstd: 3
        }
    }
}
