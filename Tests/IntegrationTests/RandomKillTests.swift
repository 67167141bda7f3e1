import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Blows at random moments, many of them. The moments are drawn from the duration of an undisturbed run; nothing that
/// is expected depends on them. `UNDERSTUDY_TEST_THOROUGH` makes them as many as a release needs, and
/// `UNDERSTUDY_TEST_SEED` repeats a run.
@Suite(.disabled(if: isStock), .serialized) struct RandomKillTests {
    private let cluster: Cluster
    private let space: String
    private let parent: String

    init() throws {
        cluster = try Cluster(.newest)
        try Workload.prepare(cluster, scale: 2)
        space = try cluster.makeTablespace("space")
        parent = try TestDirectory.make("parent")
    }

    private var target: String { "\(parent)/target" }
    private var mapped: String { "\(parent)/mapped" }

    private func arguments(_ command: Command, port: Int? = nil, isStarted: Bool = false) -> [String] {
        let start = [
            "--start", "--standby-port", String((try? Port.free()) ?? 0), "--bin-dir", cluster.installation.programs,
        ]
        return command.arguments(cluster.connectionString(port: port), target)
            + ["-T", "\(space)=\(mapped)", "--waldir", "\(parent)/wal", "--stall-timeout=2s"]
            + (command == .basebackup ? ["-C", "-S", command.slot] : isStarted ? start : [])
    }

    /// How long a run takes here.
    private func duration(_ command: Command, isStarted: Bool) throws -> Duration {
        let clock = ContinuousClock()
        let duration = try clock.measure {
            let result = try UnderstudyProgram.run(arguments(command, isStarted: isStarted))
            try #require(result.status == 0, "\(result)")
        }
        try cleanUpFinished()
        return duration
    }

    /// A run may be done before the blow comes: then everything is there, and must go for the next.
    private func cleanUpFinished() throws {
        if FileTree.exists("\(target)/postmaster.pid") {
            try Cluster(running: target, cluster.installation).stop(.immediate)
        }
        for name in FileTree.names(parent) { try FileManager.default.removeItem(atPath: "\(parent)/\(name)") }
        try cluster.expectReleased(slots: cluster.slots())
        for slot in try cluster.slots() { try cluster.sql("SELECT pg_drop_replication_slot('\(slot)')") }
    }

    private func expectNothingLeft(_ result: ProgramResult, _ moment: String) throws {
        #expect(FileTree.names(parent) == [], "\(moment): \(result)")
        // A server that has removed its postmaster.pid is on its way out.
        try eventually("the end of all processes: \(moment): \(result)") { try processes() == [] }
        try cluster.expectReleased()
    }

    /// Processes whose command line names the target.
    private func processes() throws -> [String] {
        FileTree.names("/proc").filter { $0.allSatisfy(\.isNumber) }
            .compactMap { try? FileTree.text("/proc/\($0)/cmdline") }.filter { $0.contains(target) }
    }

    private static func pause(_ duration: Duration, upTo fraction: Double) {
        let seconds = duration / .seconds(1) * fraction
        usleep(UInt32(seconds * 1_000_000))
    }

    // MARK: - Signals

    @Test(arguments: [(Command.basebackup, false), (.clone, false), (.clone, true)])
    func `INT, TERM and HUP at any moment leave nothing`(command: Command, isStarted: Bool) throws {
        var random = Seed.generator()
        let duration = try duration(command, isStarted: isStarted)
        for round in 0..<Seed.rounds(short: 6, thorough: 34) {
            let signal = [SIGINT, SIGTERM, SIGHUP].randomElement(using: &random)!
            let fraction = Double.random(in: 0...1.1, using: &random)
            let program = try UnderstudyProgram.start(arguments(command, isStarted: isStarted))
            Self.pause(duration, upTo: fraction)
            program.send(signal)
            let result = program.wait()
            let moment = "seed \(Seed.value), round \(round), signal \(signal) at \(fraction)"
            switch result.status {
            case 0: try cleanUpFinished()
            // Before its first instruction it has no handler, and has made nothing.
            case 128 + signal where result.errorOutput.isEmpty: try expectNothingLeft(result, moment)
            default:
                #expect(result.status == 1, "\(moment): \(result)")
                #expect(result.errorOutput.contains("error: "), "\(moment): \(result)")
                try expectNothingLeft(result, moment)
            }
        }
    }

    @Test(arguments: Command.allCases)
    func `after SIGKILL at any moment the next run is refused or succeeds, and with --force-clean succeeds`(
        command: Command
    ) throws {
        var random = Seed.generator()
        let duration = try duration(command, isStarted: false)
        for round in 0..<Seed.rounds(short: 4, thorough: 25) {
            let fraction = Double.random(in: 0...1, using: &random)
            let program = try UnderstudyProgram.start(arguments(command))
            Self.pause(duration, upTo: fraction)
            program.send(SIGKILL)
            let moment = "seed \(Seed.value), round \(round), at \(fraction)"
            let isComplete = program.wait().status == 0 || isFinished
            try cluster.expectReleased(slots: cluster.slots())
            if !isComplete {
                let hasTarget = !FileTree.names(target).isEmpty
                if !hasTarget, command == .basebackup {
                    // Killed between the slot and the directory that would tell of it.
                    for slot in try cluster.slots() { try cluster.sql("SELECT pg_drop_replication_slot('\(slot)')") }
                }
                if hasTarget {
                    let refused = try UnderstudyProgram.run(arguments(command))
                    expectRefused(refused, "holds an unfinished base backup", "--force-clean")
                }
                let result = try UnderstudyProgram.run(arguments(command) + ["--force-clean"])
                #expect(result.status == 0, "\(moment): \(result)")
                #expect(isFinished, "\(moment): \(result)")
                let verified = try verify(target, of: cluster, ["-n"])
                #expect(verified.status == 0 || command == .clone, "\(moment): \(verified)")
            }
            try cleanUpFinished()
        }
    }

    private var isFinished: Bool {
        FileTree.exists("\(target)/backup_manifest") && !FileTree.exists("\(target)/pgsql_tmp.understudy")
    }

    // MARK: - The server's death

    private enum Death: CaseIterable {
        case immediateStop, terminatedSenders, cutNetwork, stalledNetwork
    }

    @Test(arguments: Command.allCases)
    func `a server that dies at any moment is named as the cause, and nothing is left`(command: Command) throws {
        var random = Seed.generator()
        let proxy = try NetworkProxy(to: cluster.port)
        let result = try UnderstudyProgram.run(arguments(command, port: proxy.port))
        try #require(result.status == 0, "\(result)")
        let bytes = proxy.passed
        try cleanUpFinished()
        for round in 0..<Seed.rounds(short: 4, thorough: 20) {
            let death = Death.allCases[round % Death.allCases.count]
            let moment = Int.random(in: 0...bytes, using: &random)
            let program: Program
            switch death {
            case .cutNetwork, .stalledNetwork:
                proxy.change(to: death == .cutNetwork ? .cut : .stalled, afterBytes: moment)
                program = try UnderstudyProgram.start(arguments(command, port: proxy.port))
            case .immediateStop, .terminatedSenders:
                let before = proxy.passed
                program = try UnderstudyProgram.start(arguments(command, port: proxy.port))
                try eventually("\(moment) bytes") { !program.isRunning || proxy.passed - before >= moment }
                if death == .immediateStop {
                    try cluster.stop(.immediate)
                } else {
                    try cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
                }
            }
            let result = program.wait()
            proxy.set(.forwarding)
            if death == .immediateStop { try cluster.start() }
            let what = "seed \(Seed.value), round \(round), \(death) after \(moment) bytes: \(result)"
            if result.status != 0 {
                #expect(result.status == 1, "\(what)")
                #expect(result.errorOutput.contains("error: "), "\(what)")
                let causes = [
                    "connection to server was lost", "has sent nothing for", "timeout expired",
                    "terminating connection",
                    "shutting down", "Connection refused", "server closed the connection", "Connection reset",
                    "the database system is",
                ]
                #expect(causes.contains { result.errorOutput.contains($0) }, "\(what)")
                let slots = try cluster.slots()
                if slots.isEmpty {
                    #expect(FileTree.names(parent) == [], "\(what)")
                } else {
                    // The mark notes it for the next run.
                    #expect(FileTree.names(parent) == ["target"], "\(what)")
                    #expect(FileTree.names(target) == ["pgsql_tmp.understudy"], "\(what)")
                    // Nobody could drop it: then it is named, with the command that does it.
                    #expect(slots == [command.slot], "\(what)")
                    #expect(
                        result.errorOutput.contains("pg_drop_replication_slot('\(command.slot)')"), "\(what)")
                }
            }
            try cleanUpFinished()
        }
    }
}
