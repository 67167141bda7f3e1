import UnderstudyTestSupport

/// The servers that are played.
enum Release: String, Sendable, CaseIterable {
    case v96 = "9.6.24"
    case v12 = "12.22"
    case v14 = "14.13"
    case v16 = "16.4"
    case v17 = "17.2"

    /// How BASE_BACKUP answers.
    var form: PlayedServer.Version {
        switch self {
        case .v96, .v12: .v12
        case .v14: .v14
        case .v16, .v17: .v16
        }
    }

    var major: String {
        switch self {
        case .v96: "9.6"
        case .v12: "12"
        case .v14: "14"
        case .v16: "16"
        case .v17: "17"
        }
    }

    /// The one directory of a tablespace.
    var tablespaceDirectory: String {
        switch self {
        case .v96: "PG_9.6_201608131"
        case .v12: "PG_12_201909212"
        case .v14: "PG_14_202107181"
        case .v16: "PG_16_202307071"
        case .v17: "PG_17_202406281"
        }
    }

    var walDirectory: String { self == .v96 ? "pg_xlog" : "pg_wal" }
    /// Before 11 the program was built for it, and nobody can ask.
    var segmentSize: UInt64 { self == .v96 ? 16 << 20 : 1 << 20 }
    var hasManifest: Bool { form.hasManifest }
    var manifestVersion: Int { self == .v17 ? 2 : 1 }
    var hasTemporarySlots: Bool { self != .v96 }
}
