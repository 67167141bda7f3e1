/// The settings of recovery, and the server versions that have them. Before 12 the server reads them in recovery.conf and
/// nowhere else; from 12 they are settings like others.
///
/// Source: recovery.conf.sample of 9.3 to 11, and the release notes of 9.4, 9.5, 10, 12 and 16.
package enum RecoverySetting {
    /// By name: the first version with the setting, and the first one without it.
    private static let versions: [String: Range<Int>] = {
        var versions: [String: Range<Int>] = [:]
        for (range, names) in rows {
            for name in names { versions[name] = range }
        }
        return versions
    }()

    private static let rows: [(Range<Int>, [String])] = [
        (
            0..<Int.max,
            [
                "archive_cleanup_command", "primary_conninfo", "recovery_end_command", "recovery_target_inclusive",
                "recovery_target_name", "recovery_target_time", "recovery_target_timeline", "recovery_target_xid",
                "restore_command",
            ]
        ),
        (0..<90_500, ["pause_at_recovery_target"]),
        (0..<120_000, ["standby_mode", "trigger_file"]),
        (90_400..<Int.max, ["primary_slot_name", "recovery_min_apply_delay", "recovery_target"]),
        (90_500..<Int.max, ["recovery_target_action"]),
        (100_000..<Int.max, ["recovery_target_lsn"]),
        (120_000..<160_000, ["promote_trigger_file"]),
    ]

    /// Whether a server of this version has the setting; nil for a name that is no setting of recovery in any version.
    ///
    /// - Parameter name: In lower case.
    package static func isKnown(_ name: String, serverVersion: Int) -> Bool? {
        versions[name].map { $0.contains(serverVersion) }
    }

    /// Whether servers before 12 read the setting in recovery.conf.
    static func belongsInRecoveryConf(_ name: String) -> Bool {
        versions[name].map { $0.lowerBound < 120_000 } ?? false
    }

    /// The setting that names a file whose appearance promotes a standby; nil from 16.
    package static func promotionTrigger(_ serverVersion: Int) -> String? {
        serverVersion < 120_000 ? "trigger_file" : serverVersion < 160_000 ? "promote_trigger_file" : nil
    }

    /// What is said of a recovery target, and with the target is replaced by another one.
    package static let ofTarget =
        CopiedSettings.recoveryTargets + [
            "recovery_target_inclusive", "recovery_target_action", "pause_at_recovery_target",
            "recovery_target_timeline",
        ]
}
