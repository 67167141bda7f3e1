public import UnderstudyCompression

extension BaseBackup {
    /// Where the archives of a backup are compressed, and how.
    ///
    /// ```swift
    /// options.compression = .client(.zstd(level: 9), workers: 4)
    /// ```
    @nonexhaustive
    public enum ArchiveCompression: Sendable, Equatable, Codable {
        case none
        /// On this machine, on several threads. For targets in tar format.
        ///
        /// gzip makes one member, LZ4 and Zstandard several frames behind each other; Zstandard one frame if `workers` or
        /// `longDistance` is set.
        ///
        /// - Parameters:
        ///   - workers: How many threads of Zstandard's own work on one frame, 0 for none but the writer's; nil, and for the
        ///     other methods, for frames on up to 4 threads (gzip 16), and no more than there are processors.
        ///   - longDistance: Whether Zstandard looks for what repeats at a distance of up to 128 MiB.
        case client(Compression, workers: Int? = nil, longDistance: Bool = false)
        /// On the server (from 15), which judges both words: COMPRESSION and COMPRESSION_DETAIL of BASE_BACKUP. Plain
        /// format unpacks on arrival. Archives in a directory are kept as they come; those into which something is put on
        /// the way (recovery settings, or what follows in a stream) are compressed again here.
        ///
        /// - Parameters:
        ///   - method: `gzip`, `lz4` or `zstd`.
        ///   - detail: `9`, or `level=9,workers=2`.
        case server(method: String, detail: String? = nil)
    }
}

extension BaseBackup.ArchiveCompression {
    /// What the names of archives end in, and how a stream of them is read: nil if they are not compressed, or if this
    /// program does not know the method.
    var method: Compression.Method? {
        switch self {
        case .none: nil
        case .client(let compression, _, _): compression.method
        case .server(let method, _): Compression.Method(rawValue: method)
        }
    }

    /// The method in which the server sends archives.
    var methodOnServer: Compression.Method? {
        if case .server = self { method } else { nil }
    }

    /// How archives are compressed that are made here.
    var here: ArchiveCoding? {
        guard let method else { return nil }
        return switch self {
        case .none: nil
        case .client(let compression, let workers, let longDistance):
            ArchiveCoding(method: method, level: compression.level, workers: workers, longDistance: longDistance)
        case .server(_, let detail): ArchiveCoding(method: method, level: Self.level(in: detail, of: method))
        }
    }

    /// The level that the words for the server name, if this program can tell.
    private static func level(in detail: String?, of method: Compression.Method) -> Int? {
        let words = (detail ?? "").split(separator: ",")
        let level = words.last { $0.hasPrefix("level=") }?.dropFirst("level=".count) ?? words.first
        return level.flatMap { Int($0) }.flatMap { method.acceptedLevels.contains($0) ? $0 : nil }
    }
}

/// How an archive is compressed here.
struct ArchiveCoding: Sendable, Equatable {
    var method: Compression.Method
    /// nil for the method's default.
    var level: Int?
    /// See ``BaseBackup/ArchiveCompression/client(_:workers:longDistance:)``.
    var workers: Int?
    var longDistance = false

    /// For pg_wal.tar.
    var withoutTuning: ArchiveCoding { ArchiveCoding(method: method, level: level) }
}
