import UnderstudyPlatform
import UnderstudyWAL

/// The server that restores, by its data directory.
struct RestoringServer: Sendable {
    private let dataDirectory: String
    /// The first line of postmaster.pid, and its process.
    private let postmaster: [UInt8]?
    private let process: RunningProcess?
    private let wasInRecovery: Bool
    /// nil if it cannot be read.
    let control: ControlFile?

    /// The system identifier in the control file; nil if there is none.
    var system: String? { control.map { String($0.systemIdentifier) } }

    init(_ dataDirectory: String) {
        self.dataDirectory = dataDirectory
        postmaster = Self.postmaster(dataDirectory)
        process = Self.process(postmaster)
        wasInRecovery = WALRecovery(dataDirectory: dataDirectory).isRecovery
        control = Self.control(dataDirectory)
    }

    /// The number of the server's process.
    private static func postmaster(_ directory: String) -> [UInt8]? {
        let bytes = try? ConfinedDirectory(path: directory).read("postmaster.pid", atMost: 64)
        return bytes.map { Array($0.prefix { $0 != UInt8(ascii: "\n") }) }
    }

    private static func process(_ postmaster: [UInt8]?) -> RunningProcess? {
        postmaster.flatMap { Int32(String(decoding: $0, as: UTF8.self)) }.flatMap { RunningProcess($0) }
    }

    /// Whether a server runs in a data directory.
    static func isRunning(_ dataDirectory: String) -> Bool { process(postmaster(dataDirectory)) != nil }

    private static func control(_ dataDirectory: String) -> ControlFile? {
        guard let directory = try? ConfinedDirectory(path: dataDirectory),
            let bytes = try? directory.read("global/pg_control", atMost: 1 << 13)
        else { return nil }
        return try? ControlFile(parsing: bytes)
    }

    /// Whether the server's first process has ended, as after SIGKILL: those that are left wait for this one.
    var hasDied: Bool { process.map { !$0.isAlive } ?? false }

    var isInRecovery: Bool {
        guard !hasDied, Self.postmaster(dataDirectory) == postmaster else { return false }
        return !wasInRecovery || WALRecovery(dataDirectory: dataDirectory).isRecovery
    }
}
