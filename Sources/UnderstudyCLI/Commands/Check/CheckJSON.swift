import Understudy

/// The result of `check --json`: one object on standard output. The guide names the members.
enum CheckJSON {
    static func report(_ report: ReplicationCheck.Report) -> JSONObject {
        JSONObject(
            kind: .result,
            members: [
                ("level", .string(report.level.rawValue)),
                ("primary", server(report.primary)),
                ("standby", server(report.standby)),
                ("findings", .array(report.findings.map(finding))),
            ])
    }

    private static func server(_ server: ReplicationCheck.Server?) -> JSONValue {
        guard let server else { return nil }
        return .object([
            ("place", .string(server.place)), ("version", .integer(Int64(server.version))),
            ("systemIdentifier", .optional(server.systemIdentifier)),
            ("timeline", .optional(server.timeline.map { UInt64($0.rawValue) })),
            ("inRecovery", server.isInRecovery.map { .bool($0) } ?? nil),
        ])
    }

    private static func finding(_ finding: ReplicationCheck.Finding) -> JSONValue {
        .object([
            ("server", .string(finding.server.rawValue)), ("name", .string(finding.name)),
            ("object", .optional(finding.object)), ("level", .string(finding.level.rawValue)),
            ("found", .string(finding.found)), ("wanted", .optional(finding.wanted)),
            ("message", .optional(finding.message)), ("cure", .optional(finding.cure?.commandLineText)),
            ("bytes", .optional(finding.bytes)), ("seconds", finding.seconds.map { .number($0) } ?? nil),
        ])
    }
}
