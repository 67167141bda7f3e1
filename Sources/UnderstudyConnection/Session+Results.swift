import CUnderstudyPQ
import Glibc
import Synchronization
import UnderstudyProtocol

/// The raw rows of one result set, within limits that no real server reaches.
struct RowBytes {
    /// The maximum number of columns of a row: PostgreSQL's limit for a table or query.
    static let mostColumns = 1664
    /// The maximum size of all fields and names in bytes, including the overhead of each.
    static let mostBytes = 8 << 20
    /// The maximum number of result sets for a command that should return one.
    static let mostSets = 100
    private static let fieldOverhead = 64
    /// The maximum size of a field that is read as text, in bytes.
    static let longestText = 64 << 10

    private(set) var columns: [String] = []
    private(set) var rows: [[[UInt8]?]] = []
    private var bytes = 0

    /// Reads the column names of a PGresult, which the caller still owns.
    @unsafe init(columnsOf result: OpaquePointer) throws(ConnectionError) {
        let width = unsafe PQnfields(result)
        guard width <= Self.mostColumns else {
            throw ConnectionError(
                .protocolViolation, "server sent rows with \(width) columns, which are more than \(Self.mostColumns)")
        }
        for column in 0..<width {
            // libpq keeps the name until the result is cleared.
            let name = unsafe String(cString: PQfname(result, column))
            try count(name.utf8.count)
            columns.append(name)
        }
    }

    /// Adds the rows of a PGresult, which the caller still owns.
    ///
    /// - Parameter longestField: The maximum size of a field in bytes; nil for no separate limit.
    @unsafe mutating func add(_ result: OpaquePointer, longestField: Int?) throws(ConnectionError) {
        let height = unsafe PQntuples(result)
        for row in 0..<height {
            var fields: [[UInt8]?] = []
            for column in 0..<CInt(columns.count) {
                guard unsafe PQgetisnull(result, row, column) == 0 else {
                    fields.append(nil)
                    continue
                }
                let length = unsafe Int(PQgetlength(result, row, column))
                try count(length)
                if let longestField, length > longestField {
                    throw ConnectionError(
                        .protocolViolation,
                        "server sent a field of \(length) bytes, which are more than \(longestField)")
                }
                // libpq keeps this many bytes there until the result is cleared.
                fields.append(
                    unsafe Array(UnsafeRawBufferPointer(start: PQgetvalue(result, row, column), count: length)))
            }
            rows.append(fields)
            try count(0)
        }
    }

    private mutating func count(_ length: Int) throws(ConnectionError) {
        bytes += length + Self.fieldOverhead
        guard bytes > Self.mostBytes else { return }
        throw ConnectionError(
            .protocolViolation, "server sent rows of more than \(Self.mostBytes) bytes in answer to one command")
    }
}

extension ResultSet {
    init(_ bytes: RowBytes) {
        self.init(
            columns: bytes.columns,
            rows: bytes.rows.map {
                $0.map { field in field.map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
            })
    }
}

extension ServerMessage {
    /// The fields of an error or notice; nil if libpq made the result itself.
    @unsafe init?(_ result: OpaquePointer) {
        // PQresultErrorField identifies a field by its letter.
        func field(_ letter: Character) -> String? {
            unsafe PQresultErrorField(result, CInt(letter.asciiValue!)).map { unsafe Self.text($0) }
        }
        guard let message = field("M"), let severity = field("S") else { return nil }
        // The untranslated severity is sent from 9.6 on.
        self.init(
            severity: field("V") ?? severity, sqlState: field("C"), message: message, detail: field("D"),
            hint: field("H"))
    }

    /// The maximum size of a field that is kept, in bytes. A server's messages are shorter, and a malicious one may be
    /// shown hundreds of times.
    static let longestField = 16 << 10

    /// A text from libpq, truncated if it is longer than ``longestField``.
    @unsafe static func text(_ field: UnsafePointer<CChar>) -> String {
        let length = unsafe strnlen(field, longestField + 1)
        // libpq stores a NUL after it.
        guard length > longestField else { return unsafe String(cString: field) }
        let bytes = unsafe UnsafeRawBufferPointer(start: field, count: longestField)
        return unsafe String(decoding: bytes, as: UTF8.self) + "... (cut here)"
    }
}

/// Receives the notices of a connection, and passes them on.
final class NoticeReceiver: Sendable {
    private let heardBytes = Atomic(0)
    private let handler: @Sendable (ServerMessage) -> Void

    init(_ handler: @escaping @Sendable (ServerMessage) -> Void) {
        self.handler = handler
    }

    /// The total size of the notices received since the last call.
    func takeHeardBytes() -> Int { heardBytes.exchange(0, ordering: .relaxed) }

    @unsafe private func take(_ result: OpaquePointer) {
        heardBytes.add(unsafe PQresultMemorySize(result), ordering: .relaxed)
        if let message = unsafe ServerMessage(result) { handler(message) }
    }

    /// Makes libpq call the handler: PQsetNoticeReceiver. The box must outlive the connection.
    @unsafe func listen(to connection: OpaquePointer) {
        _ = unsafe PQsetNoticeReceiver(
            connection,
            { context, result in
                // The session that owns the connection retains the box.
                let box = unsafe Unmanaged<NoticeReceiver>.fromOpaque(context!).takeUnretainedValue()
                if let result = unsafe result { unsafe box.take(result) }
            }, Unmanaged.passUnretained(self).toOpaque())
    }
}
