import Testing
import UnderstudyTestSupport

/// Servers that fall silent. What is waited for is the end of the run, by its own time-out.
@Suite(.disabled(if: isStock)) struct StallTests {
    private func expectStalled(
        _ program: Program, _ parent: String, _ words: String..., leavesMark: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let result = program.wait()
        expectRefused(result, "has sent nothing for 1 s", "--stall-timeout", sourceLocation: sourceLocation)
        for word in words { #expect(result.errorOutput.contains(word), "\(result)", sourceLocation: sourceLocation) }
        #expect(FileTree.names(parent) == (leavesMark ? ["target"] : []), sourceLocation: sourceLocation)
        // It names the slot that could not be dropped.
        let mark = leavesMark ? ["pgsql_tmp.understudy"] : []
        #expect(FileTree.names("\(parent)/target") == mark, sourceLocation: sourceLocation)
    }

    private func start(
        _ command: Command, _ cluster: Cluster, _ proxy: NetworkProxy, _ parent: String, _ arguments: [String] = []
    ) throws -> Program {
        try UnderstudyProgram.start(
            command.arguments(cluster.connectionString(port: proxy.port), "\(parent)/target")
                + ["--stall-timeout=1s"] + arguments)
    }

    @Test(arguments: Command.allCases)
    func `a server that is silent from the start is given up`(command: Command) throws {
        let cluster = try Cluster(.newest)
        let proxy = try NetworkProxy(to: cluster.port)
        proxy.set(.stalled)
        let parent = try TestDirectory.make("parent")
        let result = try start(command, cluster, proxy, parent).wait()
        expectRefused(result, "timeout expired")
        #expect(FileTree.names(parent) == [])
    }

    @Test(arguments: [(Command.clone, []), (.basebackup, []), (.basebackup, ["-X", "fetch"])])
    func `a server that falls silent while it sends files is given up`(command: Command, options: [String]) throws {
        let cluster = try Cluster(.newest)
        let proxy = try NetworkProxy(to: cluster.port)
        let parent = try TestDirectory.make("parent")
        proxy.change(to: .stalled, afterBytes: 4 << 20)
        expectStalled(try start(command, cluster, proxy, parent, options), parent, leavesMark: command == .clone)
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a server that goes away during its checkpoint is given up`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        try Workload.prepare(cluster, scale: 2)
        let proxy = try NetworkProxy(to: cluster.port)
        let parent = try TestDirectory.make("parent")
        let program = try start(.basebackup, cluster, proxy, parent, ["--checkpoint=spread"])
        try cluster.waitUntilCheckpointing(program)
        proxy.set(.stalled)
        expectStalled(program, parent, "a new connection could not be made", "timeout expired")
    }

    @Test func `a server that is silent during its checkpoint, but alive, is waited for`() throws {
        let cluster = try Cluster(.newest)
        try Workload.prepare(cluster, scale: 2)
        let proxy = try NetworkProxy(to: cluster.port)
        let parent = try TestDirectory.make("parent")
        let program = try start(.basebackup, cluster, proxy, parent, ["--checkpoint=spread"])
        try cluster.waitUntilCheckpointing(program)
        // Two connections of the backup itself, and two inquiries.
        try eventually("two inquiries: \(program.errorOutput)") {
            try #require(program.isRunning)
            return proxy.accepted >= 4
        }
        try cluster.sql("CHECKPOINT")
        let result = program.wait()
        #expect(result.status == 0, "\(result)")
    }

    @Test func `a server that waits for its archive is waited for`() throws {
        var options = Cluster.Options()
        options.settings = ["archive_mode = on", "archive_command = 'false'"]
        let cluster = try Cluster(.newest, options)
        let proxy = try NetworkProxy(to: cluster.port)
        let parent = try TestDirectory.make("parent")
        let program = try start(.basebackup, cluster, proxy, parent, ["-X", "none"])
        try eventually("an inquiry: \(program.errorOutput)") {
            try #require(program.isRunning)
            return proxy.accepted >= 2
        }
        try cluster.sql("ALTER SYSTEM SET archive_command = 'true'; SELECT pg_reload_conf(); SELECT pg_switch_wal()")
        let result = program.wait()
        #expect(result.status == 0, "\(result)")
    }

    @Test func `a slow link is no stalled one`() throws {
        let cluster = try Cluster(.newest)
        let proxy = try NetworkProxy(to: cluster.port)
        proxy.set(.delayed(milliseconds: 2))
        let parent = try TestDirectory.make("parent")
        let result = try start(.basebackup, cluster, proxy, parent).wait()
        #expect(result.status == 0, "\(result)")
    }

    @Test(arguments: ["-1", "fast", "5 min"])
    func `a time-out that is none is refused`(value: String) throws {
        let result = try UnderstudyProgram.run(
            Command.basebackup.arguments("host=127.0.0.1", TestDirectory.freshPath("target"))
                + ["--stall-timeout=\(value)"])
        expectRefused(result, "--stall-timeout")
    }
}
