import Glibc

/// pgbench writing in the background, until it is stopped or nobody holds it any more.
package final class Workload: Sendable {
    private let pgbench: Program
    private let cluster: Cluster

    /// Makes pgbench's tables, about 16 MB for each unit of scale.
    package static func prepare(_ cluster: Cluster, scale: Int = 1) throws {
        try Program.check(
            cluster.installation.program("pgbench"),
            ["-i", "-q", "-s", String(scale)] + Self.connection(cluster))
    }

    /// Starts writing, and returns when the first transactions have committed.
    ///
    /// - Parameter rate: Transactions per second, so that a slow machine has time for what is tested.
    package init(on cluster: Cluster, clients: Int = 2, rate: Int = 200) throws {
        self.cluster = cluster
        let before = try cluster.sql("SELECT count(*) FROM pgbench_history")
        let pgbench = try Program(
            cluster.installation.program("pgbench"),
            ["-n", "-c", String(clients), "-T", "600", "-R", String(rate)] + Self.connection(cluster),
            bound: .seconds(600))
        self.pgbench = pgbench
        try eventually("pgbench's first transactions: \(pgbench.errorOutput)") {
            try cluster.holds("SELECT count(*) > \(before) FROM pgbench_history")
        }
    }

    /// Stops writing; every transaction is over when it returns.
    package func stop() throws {
        guard pgbench.isRunning else { throw SupportError("pgbench ended by itself: \(pgbench.wait())") }
        pgbench.send(SIGTERM)
        _ = pgbench.wait()
        try eventually("the end of pgbench's sessions") {
            try cluster.holds("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgbench'")
        }
    }

    private static func connection(_ cluster: Cluster) -> [String] {
        ["-h", cluster.socketDirectory, "-p", String(cluster.port), "-U", "postgres", "postgres"]
    }
}
