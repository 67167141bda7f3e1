import CUnderstudyPQ
import Foundation
import Glibc

extension Cluster {
    /// Runs SQL as psql -A -t does; the rows, columns separated by `|`, without the newline at the end.
    @discardableResult
    package func sql(_ text: String, database: String = "postgres") throws -> String {
        do {
            // A process for each question would be most of what many tests cost.
            if let statements = Self.statements(text),
                let connection = try Connection(socketDirectory, port, database)
            {
                return try connection.run(statements).joined(separator: "\n")
            }
            let result = try Program.check(
                installation.program("psql"),
                [
                    "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", socketDirectory, "-p", String(port), "-U",
                    "postgres", "-d", database, "-f", "-",
                ], input: text)
            return result.line
        } catch {
            throw SupportError("\(text)\n\(error)\nlog: \(logTail)")
        }
    }

    /// Whether a query answers `t`.
    package func holds(_ query: String) throws -> Bool {
        try sql(query) == "t"
    }

    /// Waits until a standby has replayed all that this primary has written.
    package func waitForReplay(on standby: Cluster) throws {
        let position = try sql("SELECT pg_current_wal_insert_lsn()")
        try eventually("replay of \(position); log of the standby:\n\(standby.logTail)") {
            try standby.holds("SELECT coalesce(pg_last_wal_replay_lsn() >= '\(position)', false)")
        }
    }

    /// The statements of a text, or nil where only psql can tell where one ends, or what is its own.
    private static func statements(_ text: String) -> [String]? {
        let parts = text.split(separator: ";").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
        if text.contains("\\") { return nil }
        if parts.count > 1, ["'", "\"", "$", "--", "/*"].contains(where: { text.contains($0) }) { return nil }
        return parts.filter { !$0.isEmpty }
    }
}

/// A session of the superuser, for one text.
@safe private final class Connection {
    private let connection: OpaquePointer

    /// - Returns: nil if the server lets in only the user that it runs as, which psql is run as, and these tests may not be.
    init?(_ host: String, _ port: Int, _ database: String) throws {
        let name = database.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        let words = "host='\(host)' port=\(port) user=postgres dbname='\(name)'"
        // SAFETY: the string is lent for the call; what it returns lives until `deinit`.
        guard let opened = unsafe PQconnectdb("\(words) fallback_application_name=psql connect_timeout=60") else {
            throw SupportError("no memory for a connection")
        }
        unsafe connection = opened
        guard unsafe PQstatus(connection) == CONNECTION_OK else {
            if unsafe String(cString: PQerrorMessage(connection)).contains("Peer authentication failed") { return nil }
            throw failure
        }
        unsafe PQsetNoticeProcessor(connection, { _, _ in }, nil)
    }

    deinit {
        unsafe PQfinish(connection)
    }

    /// The rows of all statements, which end at the first error.
    func run(_ statements: [String]) throws -> [String] {
        try statements.flatMap(rows)
    }

    private func rows(of statement: String) throws -> [String] {
        guard unsafe PQsendQuery(connection, statement) == 1 else { throw failure }
        var rows: [String] = []
        while let result = unsafe try nextResult() {
            // SAFETY: each result lives until PQclear, and the numbers of rows and columns are its own.
            defer { unsafe PQclear(result) }
            guard [PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY].contains(unsafe PQresultStatus(result)) else {
                throw failure
            }
            for row in 0..<(unsafe PQntuples(result)) {
                let fields = (0..<(unsafe PQnfields(result))).map {
                    unsafe String(cString: PQgetvalue(result, row, $0))
                }
                rows.append(fields.joined(separator: "|"))
            }
        }
        return rows
    }

    /// Bounded as a program is: a commit may wait for a standby that never comes.
    private func nextResult() throws -> OpaquePointer? {
        while unsafe PQisBusy(connection) == 1 {
            var watched = pollfd(fd: unsafe PQsocket(connection), events: Int16(POLLIN), revents: 0)
            // SAFETY: `watched` lives through the call.
            let count = unsafe poll(&watched, 1, 300_000)
            if count == 0 { throw SupportError("no answer within 300 s") }
            guard count > 0 || errno == EINTR, unsafe PQconsumeInput(connection) == 1 else { throw failure }
        }
        return unsafe PQgetResult(connection)
    }

    private var failure: SupportError { SupportError(unsafe String(cString: PQerrorMessage(connection))) }
}
