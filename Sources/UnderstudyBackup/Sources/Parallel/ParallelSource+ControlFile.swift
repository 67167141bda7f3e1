import Glibc
import UnderstudyBackupFormat
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

extension ParallelSource {
    /// A control file has 8 kB, most of which are zeros.
    private static let longestControlFile: UInt64 = 64 << 10
    private static let attempts = 10

    /// Reads global/pg_control until it is whole: a server writes it in place.
    func readControlFile(_ session: Session) throws(UnderstudyError) -> (bytes: [UInt8], control: ControlFile) {
        var last: ControlFileError?
        for attempt in 0..<Self.attempts {
            if attempt > 0 { session.pause(.milliseconds(20)) }
            var bytes: [UInt8] = []
            try session.copyRows(
                sql.read([.init(path: HeldMember.path, offset: 0, end: Self.longestControlFile)]), columns: 3
            ) { row throws(UnderstudyError) in
                if let content = row.bytes(2) { content.append(to: &bytes) }
            }
            do throws(ControlFileError) { return (bytes, try ControlFile(parsing: bytes)) } catch { last = error }
        }
        throw UnderstudyError(
            .server, "server's \"\(HeldMember.path)\" could not be read whole",
            detail: last.map { "After \(Self.attempts) attempts: \($0)." },
            hint: "Check the server's storage, or take the backup over one connection.")
    }

    /// What verifies pages; nil if the cluster has no checksums, or that was not asked for.
    func makePageCheck(_ control: ControlFile, _ session: Session, start: LSN) throws(UnderstudyError) -> PageCheck? {
        guard options.verifyServerChecksums, control.dataChecksumVersion != 0 else { return nil }
        let pages = try session.ask(sql.pagesPerSegment)
        return PageCheck(pageSize: control.blockSize, pagesPerSegment: pages, start: start)
    }

    /// A file of the server's, as it says it itself.
    func entry(_ path: MemberPath, _ count: Int) -> TarEntry {
        TarEntry(
            path: path, kind: .file, mode: context.server.fileMode, size: UInt64(count), modificationTime: Self.now)
    }

    static var now: Int64 { Int64(time(nil)) }

    /// Uses the connection that holds the backup, and says what it means if that is lost.
    func whileHeld<Value>(_ body: () throws(UnderstudyError) -> Value) throws(UnderstudyError) -> Value {
        do throws(UnderstudyError) { return try body() } catch {
            guard error.code == .connection else { throw error }
            var failure = error
            failure.message =
                "the connection that holds the backup was lost, which ended the backup: \(error.message)"
            failure.hint = "Take it again, once the server is up and the network holds; the server's log may tell why."
            throw failure
        }
    }
}

extension UnderstudyError {
    /// Whether the server has no connection to spare.
    var isShortageOfConnections: Bool { sqlState == "53300" }
}
