import Foundation
import Testing
import UnderstudyTestSupport

/// The two ways to take a backup.
enum Command: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case basebackup, clone

    var testDescription: String { rawValue }

    /// The arguments that copy the server at `connection` into `target`, with a fast checkpoint.
    func arguments(_ connection: String, _ target: String) -> [String] {
        switch self {
        case .basebackup: ["basebackup", "-d", connection, "-D", target, "-w"] + fast
        case .clone: ["clone", "--primary", connection, "-D", target, "--slot", slot] + fast
        }
    }

    private var fast: [String] { ["--checkpoint=fast"] }

    /// The slot that a clone makes.
    var slot: String { "standby1" }
}

/// Runs `understudy basebackup`.
///
/// With `UNDERSTUDY_TEST_STOCK` set it is the pg_basebackup of the cluster's own version: a test of behaviour that the
/// two have in common must pass with either.
func basebackup(_ cluster: Cluster, to target: String, _ arguments: [String]) throws -> ProgramResult {
    try startBasebackup(cluster, to: target, arguments).wait()
}

func startBasebackup(_ cluster: Cluster, to target: String, _ arguments: [String]) throws -> Program {
    let all = ["-d", cluster.connectionString(), "-D", target, "-w", "-c", "fast"] + arguments
    if isStock { return try Program(cluster.installation.program("pg_basebackup"), all) }
    return try UnderstudyProgram.start(["basebackup"] + all)
}

let isStock = ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_STOCK"] != nil

/// Runs `understudy clone` and expects that it succeeds.
func clone(_ primary: Cluster, to target: String, _ arguments: [String]) throws -> ProgramResult {
    let result = try UnderstudyProgram.run(
        ["clone", "--primary", primary.connectionString(), "-D", target, "--checkpoint=fast"] + arguments)
    try #require(result.status == 0, "\(result)")
    return result
}

/// What pg_verifybackup of the server's version says of a backup.
func verify(_ target: String, of cluster: Cluster, _ arguments: [String] = []) throws -> ProgramResult {
    // It finds pg_waldump beside itself.
    try Program.run(cluster.installation.program("pg_verifybackup"), arguments + [target])
}

/// Expects that a run failed as bad input has to: status 1, and on standard error an error and a hint, each with the
/// words given.
func expectRefused(
    _ result: ProgramResult, _ words: String..., hint: Bool = true, sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(result.status == 1, "\(result)", sourceLocation: sourceLocation)
    let text = result.errorOutput
    #expect(text.contains("error: "), "\(result)", sourceLocation: sourceLocation)
    if hint { #expect(text.lowercased().contains("hint: "), "\(result)", sourceLocation: sourceLocation) }
    for word in words {
        #expect(text.contains(word), "\(result)", sourceLocation: sourceLocation)
    }
}

extension Cluster {
    /// Waits until a backup's files are on their way.
    func waitUntilCopying(_ program: Program) throws {
        try waitForPhase("streaming database files", program)
    }

    func waitUntilCheckpointing(_ program: Program) throws {
        try waitForPhase("waiting for checkpoint to finish", program)
    }

    private func waitForPhase(_ phase: String, _ program: Program) throws {
        try eventually("phase \(phase): \(program.errorOutput)") {
            guard program.isRunning else { throw SupportError("ended too early: \(program.wait())") }
            return try holds("SELECT count(*) = 1 FROM pg_stat_progress_basebackup WHERE phase = '\(phase)'")
        }
    }

    /// Expects that the server has no slot but those named, and no wal sender, as soon as it has noticed that its
    /// client is gone.
    func expectReleased(slots expected: [String] = [], sourceLocation: SourceLocation = #_sourceLocation) throws {
        try eventually("the end of all wal senders") {
            try holds("SELECT count(*) = 0 FROM pg_stat_replication")
        }
        #expect(try slots() == expected, sourceLocation: sourceLocation)
    }
}
