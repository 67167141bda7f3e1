/// How files are compressed, if at all.
///
/// ```swift
/// let archive = WALDirectory("/srv/wal", compression: .zstd(level: 9))
/// ```
public struct Compression: Sendable, Hashable, Codable {
    /// A method, by its name on the command line. More may come: switch over it with `@unknown default`.
    @nonexhaustive
    public enum Method: String, Sendable, Hashable, CaseIterable, Codable {
        case gzip, lz4, zstd
    }

    /// nil for no compression.
    public var method: Method?
    /// One of the method's ``Method/levels``; nil for its default.
    public var level: Int?

    public static let none = Compression(method: nil, level: nil)

    /// - Parameter level: 1 to 9; nil for 6.
    public static func gzip(level: Int? = nil) -> Compression { Compression(method: .gzip, level: level) }

    /// - Parameter level: 1 to 12; nil for 1.
    public static func lz4(level: Int? = nil) -> Compression { Compression(method: .lz4, level: level) }

    /// - Parameter level: 1 to 22; nil for 3.
    public static func zstd(level: Int? = nil) -> Compression { Compression(method: .zstd, level: level) }

    /// - Parameter level: nil for the method's default, and where there is no method.
    public init(method: Method?, level: Int? = nil) {
        self.method = method
        self.level = level
    }
}

extension Compression.Method {
    /// The suffix of a compressed file's name; the stock tools expect these.
    public var fileSuffix: String {
        switch self {
        case .gzip: ".gz"
        case .lz4: ".lz4"
        case .zstd: ".zst"
        }
    }

    /// From the fastest to the smallest.
    public var levels: ClosedRange<Int> {
        switch self {
        case .gzip: 1...9
        case .lz4: 1...12
        case .zstd: 1...22
        }
    }

    /// What the library takes: zstd has levels below 1 that are faster still.
    package var acceptedLevels: ClosedRange<Int> {
        self == .zstd ? -131_072...levels.upperBound : levels
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

extension Compression.Method? {
    /// Empty without compression.
    package var fileSuffix: String { self?.fileSuffix ?? "" }
}
