public import UnderstudyCore
public import UnderstudyWAL

extension ReplicationCheck {
    /// How a finding is to be taken, from good to bad.
    public enum Level: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
        case ok
        /// The role may not see it, or the server's version does not tell.
        case unknown
        case warning
        case error

        public static func < (one: Level, other: Level) -> Bool { one.rank < other.rank }

        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    /// The server that a finding is about.
    public enum Role: String, Sendable, Hashable, Codable {
        case primary, standby
    }

    /// One thing that was looked at.
    public struct Finding: Sendable, Hashable {
        public var server: Role
        /// What was looked at: a setting's name, or a word such as `slot` or `replay_lag`. It stays the same from version to version.
        public var name: String
        /// Which one, where there are several: a slot, a standby, a line of a file.
        public var object: String?
        public var level: Level
        /// The value found. Like `message`, it may contain a server's text verbatim: escape it for display.
        public var found: String
        /// The value wanted, where there is one.
        public var wanted: String?
        /// What is wrong, in PostgreSQL's form: lower case, no full stop. nil if all is well.
        public var message: String?
        /// What to do: whole sentences with lines that can be pasted.
        public var cure: Remedy?
        /// The size that was found, in bytes, where it is one.
        public var bytes: UInt64?
        /// The time that was found, in seconds, where it is one.
        public var seconds: Double?

        /// Each parameter is the property of its name.
        public init(
            _ server: Role, _ name: String, object: String? = nil, _ level: Level = .ok, found: String,
            wanted: String? = nil, message: String? = nil, cure: Remedy? = nil, bytes: UInt64? = nil,
            seconds: Double? = nil
        ) {
            self.server = server
            self.name = name
            self.object = object
            self.level = level
            self.found = found
            self.wanted = wanted
            self.message = message
            self.cure = cure
            self.bytes = bytes
            self.seconds = seconds
        }
    }

    /// What a server is.
    public struct Server: Sendable, Hashable {
        /// Where it was reached: `"10.0.0.1", port 5432`.
        public var place: String
        /// As `server_version_num`: 150018.
        public var version: Int
        /// nil if it is not known.
        public var systemIdentifier: String?
        public var timeline: TimelineID?
        public var isInRecovery: Bool?

        /// Each parameter is the property of its name.
        public init(
            place: String, version: Int, systemIdentifier: String? = nil, timeline: TimelineID? = nil,
            isInRecovery: Bool? = nil
        ) {
            self.place = place
            self.version = version
            self.systemIdentifier = systemIdentifier
            self.timeline = timeline
            self.isInRecovery = isInRecovery
        }
    }

    /// What a check has come to.
    public struct Report: Sendable, Hashable {
        /// nil if it was not to be checked, or could not be reached.
        public var primary: Server?
        public var standby: Server?
        /// In the order of the checks, the primary's first.
        public var findings: [Finding]

        /// Each parameter is the property of its name.
        public init(primary: Server? = nil, standby: Server? = nil, findings: [Finding] = []) {
            self.primary = primary
            self.standby = standby
            self.findings = findings
        }

        /// The worst level of all findings.
        public var level: Level { findings.map(\.level).max() ?? .ok }

        /// Whether nothing is wrong.
        ///
        /// - Parameter strict: Whether warnings, and what is not known, count as wrong.
        public func isWell(strict: Bool = false) -> Bool { strict ? level == .ok : level < .error }
    }
}
