import UnderstudyConfiguration
import UnderstudyPlatform

/// What a server does when its restore_command finds no more WAL.
@nonexhaustive
public enum WALRecovery: Sendable, Hashable {
    /// It ends recovery, and becomes a primary: there is a `recovery.signal`, or before 12 a `recovery.conf` without
    /// standby_mode.
    case endsByItself
    /// It goes on asking, and streams from its primary: there is a `standby.signal`, or standby_mode is on.
    case standby
    /// It was told to become a primary, and asks for history files to choose its timeline: a server runs, and the files
    /// that tell of a recovery are gone. Stopped now, it would come up on its old timeline.
    case ending
    /// There is no server in recovery.
    case none

    /// Whether a server replays.
    public var isRecovery: Bool { self == .endsByItself || self == .standby }

    /// Looks into a data directory; restore_command runs in it.
    ///
    /// Source: PostgreSQL manual, "Archive Recovery", and `recovery.conf` of versions before 12.
    public init(dataDirectory: String) {
        guard let directory = try? ConfinedDirectory(path: dataDirectory),
            let version = try? directory.read("PG_VERSION", atMost: 64)
        else {
            self = .none
            return
        }
        let others = RestoringServer.isRunning(dataDirectory) ? Self.ending : .none
        let major = String(decoding: version, as: UTF8.self).prefix { ("0"..."9").contains($0) }
        guard let major = Int(major), major < 12 else {
            self =
                directory.exists("standby.signal")
                ? .standby : directory.exists("recovery.signal") ? .endsByItself : others
            return
        }
        guard let bytes = try? directory.read("recovery.conf", atMost: 1 << 20) else {
            self = others
            return
        }
        var isStandby = false
        for case .setting("standby_mode", let value) in ConfigurationLine.read(String(decoding: bytes, as: UTF8.self)) {
            isStandby = ServerBoolean.isOn(value)
        }
        self = isStandby ? .standby : .endsByItself
    }
}
