import Foundation
import Testing
import UnderstudyCore
import UnderstudyTestSupport

@testable import UnderstudyWALArchive

/// The data directory of a server in recovery, and an archive for it.
struct RestoreCase {
    let archive: TestArchive
    /// It has `pg_wal`.
    let data: String

    init() throws {
        archive = try TestArchive()
        data = try TestDirectory.make("data")
        try TestDirectory.make(at: "\(data)/pg_wal")
        try TestDirectory.write("16\n", to: "\(data)/PG_VERSION")
        try TestDirectory.write("", to: "\(data)/recovery.signal")
    }

    func restore(
        _ name: String, from directories: [String]? = nil, diverged: Bool = false
    ) async throws -> WALRestore.Outcome {
        let restore = WALRestore(from: directories ?? [archive.path], options: .init(servesDiverged: diverged))
        let outcome = try await restore.restore(name, to: "\(data)/pg_wal/RECOVERYXLOG", dataDirectory: data)
        if case .restored = outcome {
            #expect(FileTree.names("\(data)/pg_wal") == ["RECOVERYXLOG"])
        } else {
            let known = ["RECOVERYXLOG", name]
            #expect(FileTree.names("\(data)/pg_wal").allSatisfy(known.contains))
        }
        return outcome
    }

    /// Why the archive cannot tell about a file; nil if it can.
    func doubt(_ name: String, from directories: [String]? = nil) async throws -> UnderstudyError? {
        let outcome = try await restore(name, from: directories)
        return if case .doubtful(let error) = outcome { error } else { nil }
    }

    /// What the server was given.
    var restored: [UInt8] { get throws { try FileTree.bytes("\(data)/pg_wal/RECOVERYXLOG") } }

    /// Makes the server one of the cluster in a fixture, with segments of 16 MB.
    func putControlFile() throws {
        try FileManager.default.createDirectory(atPath: "\(data)/global", withIntermediateDirectories: true)
        try Data(FileTree.bytes(Recording.fixtures.appending(path: "pg_control/16.bin").path))
            .write(to: URL(fileURLWithPath: "\(data)/global/pg_control"))
    }
}
