public import Logging
public import UnderstudyCore

/// Checks whether a primary can have standbys, whether a standby follows its primary, and how long a change takes to get
/// there. It changes nothing on either server.
///
/// ```swift
/// let check = ReplicationCheck(primary: "host=10.0.0.1 user=r", standby: "host=10.0.0.2 user=r")
/// let report = try await check.run()
/// for finding in report.findings where finding.level > .ok { print(finding.name, finding.message ?? "") }
/// ```
///
/// What a server says is a value of the report, and so is that a server cannot be reached: only what keeps the check from being
/// made is thrown. A role that may replicate and nothing else is enough for a part of it; the rest is
/// ``Level/unknown``, with what to grant.
public struct ReplicationCheck: Sendable {
    /// The primary; nil if only a standby is checked.
    public var primary: ConnectionString?
    /// The standby; nil if only a primary is checked.
    public var standby: ConnectionString?
    public var options: Options
    public var logger: Logger

    public init(
        primary: ConnectionString? = nil, standby: ConnectionString? = nil, options: Options = .init(),
        logger: Logger = .silent
    ) {
        self.primary = primary
        self.standby = standby
        self.options = options
        self.logger = logger
    }

    /// What may be set.
    public struct Options: Sendable, Equatable {
        /// Whether a marker is sent through the primary's WAL, to see it replayed: by the standby, or without one by all standbys
        /// that the primary knows.
        public var roundTrip: Bool
        /// How long the marker may take.
        public var roundTripLimit: Duration
        /// For how long the check is repeated until all is well; zero to check once.
        public var wait: Duration
        /// Whether a warning, and what is not known, keeps a check with ``wait`` from ending.
        public var isStrict: Bool
        /// How much WAL a standby may lack, in bytes, without a warning.
        public var mostLagBytes: UInt64
        /// How long a standby may be behind without a warning.
        public var mostLag: Duration
        /// For a server that asks for a password which nothing else provides. It is neither logged nor part of a report.
        public var password: String?

        /// Each parameter is the property of its name.
        public init(
            roundTrip: Bool = false, roundTripLimit: Duration = .seconds(30), wait: Duration = .zero,
            isStrict: Bool = false, mostLagBytes: UInt64 = 128 << 20, mostLag: Duration = .seconds(60),
            password: String? = nil
        ) {
            self.roundTrip = roundTrip
            self.roundTripLimit = roundTripLimit
            self.wait = wait
            self.isStrict = isStrict
            self.mostLagBytes = mostLagBytes
            self.mostLag = mostLag
            self.password = password
        }
    }
}
