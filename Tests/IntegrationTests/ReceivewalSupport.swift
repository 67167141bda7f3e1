import Foundation
import Glibc
import UnderstudyTestSupport

/// Who receives WAL.
enum Receiver: Sendable, CaseIterable {
    case understudy, stock
}

/// A directory that WAL is received into.
struct WALArchive {
    /// All that is in it, but for the segment that a receiver has ready for later.
    var snapshot: [String] { FileTree.snapshot(path).filter { !$0.hasPrefix(".understudy-next ") } }

    let path: String

    init(at path: String? = nil) throws {
        self.path = try path ?? TestDirectory.make("archive")
    }

    /// Starts `understudy receivewal` of this archive, or the pg_receivewal of the cluster's own version.
    ///
    /// - Parameter port: Another port than the cluster's, that of a proxy.
    func receive(
        from cluster: Cluster, _ arguments: [String] = [], by receiver: Receiver = .understudy, port: Int? = nil
    ) throws -> Program {
        try receive(cluster.connectionString(port: port), arguments, by: receiver, of: cluster.installation)
    }

    func receive(
        _ connection: String, _ arguments: [String] = [], by receiver: Receiver = .understudy,
        of installation: PostgresInstallation
    ) throws -> Program {
        let all = ["-d", connection, "-D", path, "-w", "-v"] + arguments
        return switch receiver {
        case .understudy: try UnderstudyProgram.start(["receivewal"] + all)
        case .stock: try Program(installation.program("pg_receivewal"), all)
        }
    }

    // MARK: - Files

    /// All names, but for those of files under way.
    var names: [String] { FileTree.names(path).filter { !$0.hasPrefix(".understudy") } }

    /// Complete segments, with the suffix of their compression.
    var segments: [String] { names.filter { Self.isSegment($0) && !$0.hasSuffix(".partial") } }

    var partials: [String] { names.filter { Self.isSegment($0) && $0.hasSuffix(".partial") } }

    private static func isSegment(_ name: String) -> Bool {
        name.count >= 24 && name.prefix(24).allSatisfy(\.isHexDigit)
    }

    /// Waits until a segment is there, complete; `program` must still run then.
    func wait(for segment: String, _ program: Program) throws {
        try eventually("\(segment) among \(names): \(program.errorOutput)") {
            guard program.isRunning else { throw SupportError("ended too early: \(program.wait())") }
            return segments.contains { $0.hasPrefix(segment) }
        }
    }

    /// Complete segments whose bytes differ from those in the server's pg_wal, compressed or not. One that the server
    /// does not have any more counts as different.
    func differences(from cluster: Cluster) throws -> [String] {
        try differences(from: "\(cluster.directory)/pg_wal")
    }

    func differences(from directory: String) throws -> [String] {
        let script = """
            cd "$1" || exit 2
            for name in $(ls | grep -E '^[0-9A-F]{24}(|[.]gz|[.]lz4|[.]zst)$'); do
                case $name in
                *.gz) show='gzip -dc' ;; *.lz4) show='lz4 -dc' ;; *.zst) show='zstd -dc' ;; *) show=cat ;;
                esac
                $show "$name" | cmp -s - "$2/${name%%.*}" || echo "$name"
            done
            """
        let result = try Program.check("/bin/sh", ["-c", script, "sh", path, directory])
        return result.output.split(separator: "\n").map(String.init)
    }

    /// The names of segments that lie between the first and the last one, and are not there under any suffix.
    func gaps(segmentMegabytes: Int) -> [String] {
        let perFile = 4096 / segmentMegabytes
        let numbers = names.filter(Self.isSegment).compactMap { name -> Int? in
            guard let high = Int(name.dropFirst(8).prefix(8), radix: 16),
                let low = Int(name.dropFirst(16).prefix(8), radix: 16)
            else { return nil }
            return high * perFile + low
        }
        guard let first = numbers.min(), let last = numbers.max() else { return ["everything"] }
        return Set(first...last).subtracting(numbers).sorted().map { String($0, radix: 16) }
    }
}

extension Program {
    /// Waits for a text on standard error while the program runs.
    func waitToSay(_ text: String) throws {
        try eventually("\"\(text)\": \(errorOutput)") {
            if errorOutput.contains(text) { return true }
            guard isRunning else { throw SupportError("ended without \"\(text)\": \(wait())") }
            return false
        }
    }

    /// Sends a signal, and waits for the end.
    func stop(_ signal: Int32 = SIGTERM) -> ProgramResult {
        send(signal)
        return wait()
    }
}

extension Cluster {
    /// A cluster that keeps all of its WAL, in segments of 1 MB so that they are soon full.
    static func keepingWAL(
        _ installation: PostgresInstallation, segmentMegabytes: Int = 1, _ settings: [String] = []
    ) throws -> Cluster {
        var options = Options()
        options.walSegmentMegabytes = segmentMegabytes
        options.settings = ["wal_keep_size = 4GB", "autovacuum = off"] + settings
        return try Cluster(installation, options)
    }

    /// Writes about so many kilobytes of WAL that do not compress.
    func writeWAL(kilobytes: Int) throws {
        // 32 kB of digests in each message.
        try sql(
            """
            SELECT count(pg_logical_emit_message(true, 'test',
                (SELECT string_agg(md5(random()::text || i::text || j::text), '') FROM generate_series(1, 1024) j)))
            FROM generate_series(1, \(max(1, kilobytes / 32))) i
            """)
    }

    /// Ends the present segment with something in it.
    ///
    /// - Returns: Its name.
    @discardableResult
    func finishSegment() throws -> String {
        let answer = try sql(
            "SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_walfile_name(pg_switch_wal())")
        return String(answer.split(separator: "\n").last ?? "")
    }

    /// Ends that many segments with next to nothing in them: much to receive that costs the server little.
    func finishSegments(_ count: Int) throws {
        try sql(
            """
            DO $$ BEGIN FOR i IN 1..\(count) LOOP
                PERFORM pg_logical_emit_message(false, 'test', 'x'); PERFORM pg_switch_wal();
            END LOOP; END $$
            """)
    }

    func position() throws -> String { try sql("SELECT pg_current_wal_flush_lsn()") }

    func makeSlot(_ name: String = "archive", reservesWAL: Bool = true) throws {
        try sql("SELECT pg_create_physical_replication_slot('\(name)', \(reservesWAL))")
    }

    /// Sets synchronous_standby_names.
    func synchronize(_ names: String) throws {
        try sql("ALTER SYSTEM SET synchronous_standby_names = '\(names)'")
        try sql("SELECT pg_reload_conf()")
        try eventually("the setting") { try sql("SHOW synchronous_standby_names") == names }
    }

    /// Waits until no WAL sender has the slot.
    func waitUntilFree(_ slot: String = "archive") throws {
        try eventually("slot \(slot) to be free") {
            // A WAL sender that ends releases its slot first, and is still listed as streaming for a moment.
            try holds(
                """
                SELECT NOT active AND (SELECT count(*) = 0 FROM pg_stat_replication)
                  FROM pg_replication_slots WHERE slot_name = '\(slot)'
                """)
        }
    }

    /// Waits until a receiver streams.
    func waitForStream(_ program: Program) throws {
        try eventually("a stream: \(program.errorOutput)") {
            guard program.isRunning else { throw SupportError("ended too early: \(program.wait())") }
            return try holds("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")
        }
    }

    /// Waits until the one receiver has acknowledged all up to a position.
    func waitForFlush(of position: String, _ program: Program) throws {
        try eventually("flush of \(position): \(program.errorOutput)") {
            try holds("SELECT coalesce(bool_or(flush_lsn >= '\(position)'), false) FROM pg_stat_replication")
        }
    }
}

/// Each of the first with one of the second, and each of the second with one of the first: no more cases than needed for
/// that, where the two have little to do with each other.
func pairs<First, Second>(_ first: [First], _ second: [Second]) -> [(First, Second)] {
    (0..<max(first.count, second.count)).map { (first[$0 % first.count], second[$0 % second.count]) }
}
