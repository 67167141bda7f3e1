import Foundation

/// The checker of Prometheus' package, which scripts/setup fetches.
package enum Promtool {
    package static let path = ["/usr/local/bin/promtool", "/usr/bin/promtool"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    /// What it says against metrics: nothing if they are as they should be.
    package static func complaints(about metrics: String) throws -> String {
        guard let path else { throw SupportError("no promtool") }
        let result = try Program.run(path, ["check", "metrics"], input: metrics)
        return result.status == 0 ? result.errorOutput + result.output : "\(result)"
    }
}
