import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("The command line of prepare") struct PreparePlanTests {
    private func read(_ words: String...) throws -> PreparePlan {
        guard case .run(let plan) = try PreparePlan.read(words) else { throw UsageError("no plan") }
        return plan
    }

    @Test func `has defaults for all`() throws {
        let plan = try read()
        #expect(plan.options == .init())
        #expect(plan.options.role == "replicator" && plan.options.restart == nil)
        #expect(!plan.isDryRun && plan.passwordFile == nil && plan.connection.password == .onDemand)
    }

    @Test func `names all that can be set`() throws {
        let plan = try read(
            "-d", "host=db1", "-h", "db2", "-p", "5433", "-U", "admin", "-w", "--standby", "10.0.0.7",
            "--standby=local",
            "--role", "r", "--role-password-file", "f", "--max-wal-senders=5", "--max-replication-slots=6",
            "--wal-keep=1GB",
            "--listen-addresses=*", "--edit-files", "--dry-run", "--restart", "--wait", "2min", "--bin-dir", "/b", "-v")
        #expect(
            plan.options
                == .init(
                    role: "r", standbys: ["10.0.0.7", "local"], maxWALSenders: 5, maxReplicationSlots: 6,
                    walKeep: 1 << 30,
                    listenAddresses: "*", editsFiles: true, restart: .init(wait: .seconds(120)), binDirectory: "/b"))
        #expect(plan.passwordFile == "f" && plan.isDryRun && plan.verbose)
        #expect(plan.connection.source.text == "host=db1")
        #expect(
            plan.connection.source.overrides["host"] == "db2" && plan.connection.source.overrides["user"] == "admin")
    }

    @Test(arguments: [
        ["x"], ["--wait", "1s"], ["--bin-dir", "/b"], ["--max-wal-senders", "0"], ["--max-wal-senders", "x"],
        ["--max-replication-slots", "262144"], ["--wal-keep", "1 GB"], ["--wal-keep", "2000TB"],
        ["--role", "a", "--role", "b"], ["-p", "99999"], ["-p", "0"], ["-p", "x"], ["-p", "5432,65536"],
    ])
    func `is refused where it makes no sense`(words: [String]) {
        #expect(throws: UsageError.self) { try PreparePlan.read(words) }
    }
}
