import CUnderstudyPQ
import Glibc
import Synchronization
import UnderstudyProtocol

/// The rows of one result set, byte for byte, with limits that no server comes near.
struct RowBytes {
    /// Columns of a row: what a table or query can have at most.
    static let mostColumns = 1664
    /// Bytes of all fields and names, each with what it takes beside its text.
    static let mostBytes = 8 << 20
    /// Result sets of a command that is answered by one.
    static let mostSets = 100
    private static let fieldOverhead = 64
    /// Bytes of a field that is read as text.
    static let longestText = 64 << 10

    private(set) var columns: [String] = []
    private(set) var rows: [[[UInt8]?]] = []
    private var bytes = 0

    /// The names of a PGresult's columns; it stays the caller's.
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

    /// Adds the rows of a PGresult, which stays the caller's.
    ///
    /// - Parameter longestField: In bytes; nil for no limit of its own.
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
                // libpq keeps so many bytes there until the result is cleared.
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
    /// The fields of an error or notice; nil where libpq made the result itself.
    @unsafe init?(_ result: OpaquePointer) {
        // PQresultErrorField takes the letter of the field.
        func field(_ letter: Character) -> String? {
            unsafe PQresultErrorField(result, CInt(letter.asciiValue!)).map { unsafe Self.text($0) }
        }
        guard let message = field("M"), let severity = field("S") else { return nil }
        // The severity that is not translated is sent from 9.6 on.
        self.init(
            severity: field("V") ?? severity, sqlState: field("C"), message: message, detail: field("D"),
            hint: field("H"))
    }

    /// Bytes of a field that are kept: a server's messages are shorter, and a false one's may be shown hundreds of times.
    static let longestField = 16 << 10

    /// A text of libpq, cut where it is longer than ``longestField``.
    @unsafe static func text(_ field: UnsafePointer<CChar>) -> String {
        let length = unsafe strnlen(field, longestField + 1)
        // libpq keeps a NUL behind it.
        guard length > longestField else { return unsafe String(cString: field) }
        let bytes = unsafe UnsafeRawBufferPointer(start: field, count: longestField)
        return unsafe String(decoding: bytes, as: UTF8.self) + "... (cut here)"
    }
}

/// Takes the notices of a connection and hands them on.
final class NoticeBox: Sendable {
    private let heardBytes = Atomic(0)
    private let handler: @Sendable (ServerMessage) -> Void

    init(_ handler: @escaping @Sendable (ServerMessage) -> Void) {
        self.handler = handler
    }

    /// How long the notices were that have come since the last call.
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
                let box = unsafe Unmanaged<NoticeBox>.fromOpaque(context!).takeUnretainedValue()
                if let result = unsafe result { unsafe box.take(result) }
            }, Unmanaged.passUnretained(self).toOpaque())
    }
}
