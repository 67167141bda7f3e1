/// Settings that a standby must not have lower than its primary: it would not start.
///
/// Source: PostgreSQL manual, "Hot Standby", "Administrator's Overview"; CheckRequiredParameterValues, xlogrecovery.c.
package enum StandbyLimits {
    /// A setting that is too low.
    package struct Shortfall: Hashable, Sendable {
        package var name: String
        package var needed: Int
        package var found: Int

        /// - Parameter verb: `is`, or `would be` before the standby has it.
        package func message(_ verb: String = "is") -> String {
            "\(name) \(verb) \(found) for the standby, and is \(needed) on the primary: with less no standby starts"
        }
    }

    /// The settings of a server version, with its defaults.
    package static func defaults(_ version: Int) -> [(name: String, value: Int)] {
        var defaults = [
            ("max_connections", 100), ("max_prepared_transactions", 0), ("max_locks_per_transaction", 64),
        ]
        if version >= 90_400 { defaults.append(("max_worker_processes", 8)) }
        if version >= 120_000 { defaults.append(("max_wal_senders", 10)) }
        return defaults
    }

    /// - Parameters:
    ///   - primary: Values by name; a setting whose value is not known passes.
    ///   - standby: Returns the standby's value; nil if the setting is left out, and has its default.
    package static func shortfalls(
        primary: [String: Int], version: Int, standby: (String) -> Int?
    ) -> [Shortfall] {
        defaults(version).compactMap { name, usual in
            let found = standby(name) ?? usual
            guard let needed = primary[name], found < needed else { return nil }
            return Shortfall(name: name, needed: needed, found: found)
        }
    }
}
