import UnderstudyPlatform

/// What is whose in a data directory: what a server alone writes may go, the rest is the user's.
enum SurplusRules {
    /// Directories that hold what a server writes, without those of WAL and of links to tablespaces.
    static let directoriesOfServer = [
        "base", "global", "pg_clog", "pg_commit_ts", "pg_dynshmem", "pg_logical", "pg_multixact", "pg_notify",
        "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp", "pg_subtrans", "pg_twophase", "pg_xact",
    ]

    /// Files beside them that are of a server's life or of a backup, and mean something else in a copy: a server that
    /// finds them would recover from another backup, or be promoted.
    static let filesOfServer: Set<String> = [
        "PG_VERSION", "backup_label", "backup_label.old", "backup_manifest", "backup_manifest.old", "current_logfiles",
        "current_logfiles.tmp", "fallback_promote", "logrotate", "postgresql.auto.conf", "postgresql.auto.conf.tmp",
        "postmaster.opts", "postmaster.pid", "promote", "recovery.conf", "recovery.signal", "standby.signal",
        "tablespace_map", "tablespace_map.old",
    ]

    /// Files that are removed before anything is copied, whatever the source has. What must not be there while the contents
    /// are not whole, or stands in the way of what is made here.
    static let removedFirst = filesOfServer.subtracting(["PG_VERSION", "postgresql.auto.conf"]).sorted()

    /// Whether it is a file of a run of ours.
    static func isOurs(_ name: String) -> Bool { name.hasPrefix("\(UnfinishedMark.name)") }

    /// Whether a server makes what has this name in its WAL directory: segments and what belongs to them, histories, what is
    /// under way, and the directories beside them.
    static func isOfWAL(_ name: String) -> Bool {
        let name = Array(name.utf8)
        let digits = name.prefix {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains($0)
        }
        let suffix = String(decoding: name.dropFirst(digits.count), as: UTF8.self)
        return switch digits.count {
        case 24: ["", ".partial", ".deleted"].contains(suffix) || suffix.hasPrefix(".") && suffix.hasSuffix(".backup")
        case 8: suffix == ".history"
        default:
            ["archive_status", "summaries"].contains { $0.utf8.elementsEqual(name) }
                || ["xlogtemp.", "RECOVERY", "pgsql_tmp"].contains { name.starts(with: $0.utf8) }
        }
    }

    /// Whether a server makes what has this name in `archive_status`.
    static func isOfArchiveStatus(_ name: String) -> Bool {
        [".ready", ".done"].contains { name.hasSuffix($0) && isOfWAL(String(name.dropLast($0.utf8.count))) }
    }

    static let archiveStatus: RelativePath = "archive_status"

    /// What mkfs(8) makes.
    static let ofFileSystem = "lost+found"
}
