/// The content of `global/pg_control` that matters to a standby.
///
/// Reads files of servers 9.3 to 19 from 64-bit little-endian machines. A value exists only after the file's checksum
/// was verified. The server writes the file in one piece, but a copy taken from a running server may still be torn; the
/// checksum detects that.
///
/// Source: `src/include/catalog/pg_control.h` of each server version, and the program pg_controldata.
package struct ControlFile: Hashable, Sendable {
    package enum State: UInt32, Hashable, Sendable {
        case startingUp, shutDown, shutDownInRecovery, shuttingDown, inCrashRecovery, inArchiveRecovery, inProduction
    }

    package var systemIdentifier: UInt64
    /// The version of the file's format: 1300 for servers 13 to 16.
    package var version: UInt32
    package var catalogVersion: UInt32
    package var state: State

    package var walLevel: WALLevel
    /// nil before 9.4.
    package var walLogHints: Bool?
    package var maxConnections: Int
    /// nil before 9.4.
    package var maxWorkerProcesses: Int?
    /// nil before 12, where a standby may have fewer than its primary.
    package var maxWALSenders: Int?
    package var maxPreparedTransactions: Int
    package var maxLocksPerTransaction: Int
    /// nil before 9.5.
    package var trackCommitTimestamp: Bool?

    package var blockSize: Int
    package var walSegmentSize: WALSegmentSize
    /// 0 for a cluster without page checksums.
    package var dataChecksumVersion: UInt32

    package init(
        systemIdentifier: UInt64, version: UInt32, catalogVersion: UInt32, state: State, walLevel: WALLevel,
        walLogHints: Bool?, maxConnections: Int, maxWorkerProcesses: Int?, maxWALSenders: Int?,
        maxPreparedTransactions: Int, maxLocksPerTransaction: Int, trackCommitTimestamp: Bool?, blockSize: Int,
        walSegmentSize: WALSegmentSize, dataChecksumVersion: UInt32
    ) {
        self.systemIdentifier = systemIdentifier
        self.version = version
        self.catalogVersion = catalogVersion
        self.state = state
        self.walLevel = walLevel
        self.walLogHints = walLogHints
        self.maxConnections = maxConnections
        self.maxWorkerProcesses = maxWorkerProcesses
        self.maxWALSenders = maxWALSenders
        self.maxPreparedTransactions = maxPreparedTransactions
        self.maxLocksPerTransaction = maxLocksPerTransaction
        self.trackCommitTimestamp = trackCommitTimestamp
        self.blockSize = blockSize
        self.walSegmentSize = walSegmentSize
        self.dataChecksumVersion = dataChecksumVersion
    }
}

/// Why a control file cannot be read.
package enum ControlFileError: Error, Equatable, CustomStringConvertible {
    /// The file is shorter than its format requires.
    case truncated(Int)
    /// The file comes from a machine with the other byte order.
    case byteOrder
    /// The file comes from an unknown server version.
    case unknownVersion(UInt32)
    case checksumMismatch
    /// The checksum is right, but a field has a value that no server writes.
    case invalidField(String, UInt32)

    package var description: String {
        switch self {
        case .truncated(let count): "control file is too short: \(count) bytes"
        case .byteOrder: "control file is of a machine with another byte order"
        case .unknownVersion(let version): "control file has unknown version \(version)"
        case .checksumMismatch: "control file has an incorrect checksum"
        case .invalidField(let name, let value): "control file has invalid value \(value) for \"\(name)\""
        }
    }
}

extension ControlFile {
    /// Parses the file's bytes. The padding after the checksum may be missing.
    package init(parsing bytes: [UInt8]) throws(ControlFileError) {
        let fields = Fields(bytes: bytes)
        guard bytes.count >= 16 else { throw .truncated(bytes.count) }
        version = fields.uint32(8)
        let layout = try Self.layout(of: fields, version: version)

        systemIdentifier = UInt64(fields.uint32(0)) | UInt64(fields.uint32(4)) << 32
        catalogVersion = fields.uint32(12)
        state = try fields.value(16, "state") { State(rawValue: $0) }
        walLevel = try fields.value(layout.walLevel, "wal_level") { value in
            value < UInt32(layout.walLevels.count) ? layout.walLevels[Int(value)] : nil
        }
        walLogHints = layout.walLogHints.map { fields.bytes[$0] != 0 }
        maxConnections = fields.int(layout.maxConnections)
        maxWorkerProcesses = layout.maxWorkerProcesses.map(fields.int)
        maxWALSenders = layout.maxWALSenders.map(fields.int)
        maxPreparedTransactions = fields.int(layout.maxPreparedTransactions)
        maxLocksPerTransaction = fields.int(layout.maxLocksPerTransaction)
        trackCommitTimestamp = layout.trackCommitTimestamp.map { fields.bytes[$0] != 0 }
        blockSize = fields.int(layout.blockSize)
        walSegmentSize = try fields.value(layout.walSegmentSize, "xlog_seg_size") { WALSegmentSize(bytes: UInt64($0)) }
        dataChecksumVersion = fields.uint32(layout.dataChecksumVersion)
    }

    /// The layout of this version whose checksum matches. 9.4 and 9.5 share a version number but have different
    /// layouts.
    private static func layout(of fields: Fields, version: UInt32) throws(ControlFileError) -> ControlFileLayout {
        let candidates = ControlFileLayout.all.filter { $0.version == version }
        guard let size = candidates.map({ $0.checksum + 4 }).max() else {
            let known = ControlFileLayout.all.contains { $0.version == version.byteSwapped }
            throw known ? .byteOrder : .unknownVersion(version)
        }
        for layout in candidates where fields.bytes.count >= layout.checksum + 4 {
            let content = fields.bytes[..<layout.checksum]
            if layout.checksumKind.compute(content) == fields.uint32(layout.checksum) { return layout }
        }
        throw fields.bytes.count < size ? .truncated(fields.bytes.count) : .checksumMismatch
    }

    /// Little-endian reads. The caller guarantees that the offsets are in bounds.
    private struct Fields {
        let bytes: [UInt8]

        func uint32(_ offset: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * UInt32($1)) }
        }

        func int(_ offset: Int) -> Int {
            Int(Int32(bitPattern: uint32(offset)))
        }

        func value<Value>(
            _ offset: Int, _ name: String, _ make: (UInt32) -> Value?
        ) throws(ControlFileError) -> Value {
            let raw = uint32(offset)
            guard let value = make(raw) else { throw .invalidField(name, raw) }
            return value
        }
    }
}
