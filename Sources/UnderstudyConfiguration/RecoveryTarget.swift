public import UnderstudyWAL

/// Where recovery stops before the end of WAL, and what the server does then: point-in-time recovery.
///
/// ```swift
/// let target = RecoveryTarget(.name("before upgrade"), action: .promote)
/// ```
///
/// Source: PostgreSQL manual, "Recovery Target"; recovery.conf before 12.
public struct RecoveryTarget: Sendable, Equatable {
    /// The place in WAL.
    @nonexhaustive
    public enum Place: Sendable, Equatable {
        /// As soon as the server is consistent: the end of the backup (from 9.4).
        case immediate
        /// A moment as PostgreSQL writes it: `2026-11-28 12:04:00+00`. Without a time zone the server's own is meant.
        case time(String)
        /// A transaction, by its number.
        case transaction(UInt64)
        /// A restore point, by the name that `pg_create_restore_point` was given: at most 63 bytes.
        case name(String)
        /// A position (from 10).
        case lsn(LSN)
    }

    /// What the server does when it has reached the place.
    @nonexhaustive
    public enum Action: String, Sendable, CaseIterable {
        /// It waits, and can be read if it is a hot standby; `SELECT pg_wal_replay_resume()` ends the recovery. The
        /// server's default.
        case pause
        /// It ends recovery and becomes a primary.
        case promote
        /// It shuts down (from 9.5).
        case shutdown
    }

    public var place: Place
    /// Whether what stands at the place itself is replayed: for a time, a transaction or a position. nil for the server's
    /// default, which is yes.
    public var isInclusive: Bool?
    /// nil for the server's default.
    public var action: Action?

    public init(_ place: Place, isInclusive: Bool? = nil, action: Action? = nil) {
        self.place = place
        self.isInclusive = isInclusive
        self.action = action
    }

    /// In the order in which to write them.
    func settings(serverVersion: Int) -> [StandbyConfiguration.Setting] {
        var settings = [placeSetting]
        if let isInclusive { settings.append(.init("recovery_target_inclusive", isInclusive ? "on" : "off")) }
        if let action {
            // Before 9.5 there are only two actions, and a setting whether it is the first.
            settings.append(
                serverVersion < 90_500
                    ? .init("pause_at_recovery_target", action == .pause ? "on" : "off")
                    : .init("recovery_target_action", action.rawValue))
        }
        return settings
    }

    private var placeSetting: StandbyConfiguration.Setting {
        switch place {
        case .immediate: .init("recovery_target", "immediate")
        case .time(let text): .init("recovery_target_time", text)
        case .transaction(let number): .init("recovery_target_xid", "\(number)")
        case .name(let name): .init("recovery_target_name", name)
        case .lsn(let lsn): .init("recovery_target_lsn", "\(lsn)")
        }
    }
}

/// The timeline that recovery follows: recovery_target_timeline.
@nonexhaustive
public enum RecoveryTimeline: Sendable, Equatable, CustomStringConvertible {
    /// The newest one that is found, and each newer one that appears. The server's default from 12.
    case latest
    /// That of the backup. The server's default before 12.
    case current
    case number(TimelineID)

    /// As the server reads it; the number is decimal, while names of WAL files have it in hexadecimal digits.
    public var description: String {
        switch self {
        case .latest: "latest"
        case .current: "current"
        case .number(let timeline): "\(timeline.rawValue)"
        }
    }
}
