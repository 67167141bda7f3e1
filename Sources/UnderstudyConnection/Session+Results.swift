import CUnderstudyPQ
import UnderstudyProtocol

extension ResultSet {
    /// The rows of a PGresult, which stays the caller's.
    @unsafe init(_ result: OpaquePointer) {
        let width = unsafe PQnfields(result)
        let columns = (0..<width).map { unsafe String(cString: PQfname(result, $0)) }
        let rows = unsafe (0..<PQntuples(result)).map { row in
            (0..<width).map { column in
                unsafe PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
            }
        }
        self.init(columns: columns, rows: rows)
    }
}

extension Session {
    /// The fields of a PGresult with one row, which stays the caller's; nil if it has more or fewer.
    @unsafe static func bytesOfOnlyRow(_ result: OpaquePointer) -> [[UInt8]?]? {
        guard unsafe PQntuples(result) == 1 else { return nil }
        return unsafe (0..<PQnfields(result)).map { column in
            if unsafe PQgetisnull(result, 0, column) == 1 { return nil }
            // libpq keeps PQgetlength bytes there until the result is cleared.
            return unsafe Array(
                UnsafeRawBufferPointer(start: PQgetvalue(result, 0, column), count: Int(PQgetlength(result, 0, column)))
            )
        }
    }
}

extension ServerMessage {
    /// The fields of an error or notice; nil where libpq made the result itself.
    @unsafe init?(_ result: OpaquePointer) {
        // PQresultErrorField takes the letter of the field.
        func field(_ letter: Character) -> String? {
            unsafe PQresultErrorField(result, CInt(letter.asciiValue!)).map { unsafe String(cString: $0) }
        }
        guard let message = field("M"), let severity = field("S") else { return nil }
        // The severity that is not translated is sent from 9.6 on.
        self.init(
            severity: field("V") ?? severity, sqlState: field("C"), message: message, detail: field("D"),
            hint: field("H"))
    }
}

/// Takes the notices of a connection and hands them on.
final class NoticeBox: Sendable {
    private let handler: @Sendable (ServerMessage) -> Void

    init(_ handler: @escaping @Sendable (ServerMessage) -> Void) {
        self.handler = handler
    }

    /// Makes libpq call the handler: PQsetNoticeReceiver. The box must outlive the connection.
    @unsafe func listen(to connection: OpaquePointer) {
        _ = unsafe PQsetNoticeReceiver(
            connection,
            { context, result in
                // The session that owns the connection retains the box.
                let box = unsafe Unmanaged<NoticeBox>.fromOpaque(context!).takeUnretainedValue()
                if let result = unsafe result, let message = unsafe ServerMessage(result) { box.handler(message) }
            }, Unmanaged.passUnretained(self).toOpaque())
    }
}
