import UnderstudyWAL

/// Reads the messages of `COPY … TO STDOUT (FORMAT binary)`.
///
/// Each CopyData message holds whole rows: a server sends one with each row, the header before the first one, and the
/// trailer in a message of its own or behind the header.
///
/// After an error the reader must not be used again.
///
/// Source: PostgreSQL manual, COPY, "Binary Format"; the server's copyto.c.
package struct BinaryCopyReader: Sendable {
    private let columns: Int
    private var hasHeader = false
    /// Whether the trailer has come. A copy that ends without it is not complete.
    package private(set) var isAtEnd = false

    /// - Parameter columns: The number of columns that was asked for; the rows must have as many.
    package init(columns: Int) {
        self.columns = columns
    }

    /// The signature.
    static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF] + Array("\r\n".utf8) + [0]

    /// Takes a CopyData message, and passes its rows to `row`, which must not keep them.
    ///
    /// - Parameter failure: Wraps an error of the message.
    package mutating func take<Failure: Error>(
        _ message: RawSpan, failure: (ProtocolError) -> Failure,
        _ row: (borrowing BinaryCopyRow) throws(Failure) -> Void
    ) throws(Failure) {
        guard !message.isEmpty else { throw failure(ProtocolError("empty message in binary copy data")) }
        var position = 0
        do throws(ProtocolError) {
            if !hasHeader { position = try header(of: message) }
        } catch { throw failure(error) }
        while position < message.byteCount {
            let found: BinaryCopyRow?
            do throws(ProtocolError) {
                found = try nextRow(in: message, at: &position)
            } catch { throw failure(error) }
            if let found { try row(found) }
        }
    }

    /// The length of the header, which has its signature, flags, and an extension that nobody uses yet.
    private mutating func header(of message: RawSpan) throws(ProtocolError) -> Int {
        let signature = Self.signature
        guard message.byteCount >= signature.count,
            signature.indices.allSatisfy({ message.byte(at: $0) == signature[$0] })
        else { throw ProtocolError("binary copy data does not begin with its signature") }
        guard message.byteCount >= signature.count + 8 else {
            throw ProtocolError("header of binary copy data is cut off")
        }
        let flags = message.bigEndianInt32(at: signature.count)
        // The lower half is for what a reader may ignore.
        guard flags >> 16 == 0 else {
            throw ProtocolError("binary copy data has unknown flags \(UInt32(bitPattern: flags)) in its header")
        }
        let length = Int(message.bigEndianInt32(at: signature.count + 4))
        let start = signature.count + 8
        guard length >= 0, length <= message.byteCount - start else {
            throw ProtocolError(
                "header extension of \(length) bytes in binary copy data, of which \(message.byteCount - start) came")
        }
        hasHeader = true
        return start + length
    }

    /// Nil for the trailer.
    @_lifetime(copy message)
    private mutating func nextRow(
        in message: RawSpan, at position: inout Int
    ) throws(ProtocolError) -> BinaryCopyRow? {
        guard !isAtEnd else { throw ProtocolError("data after the end of binary copy data") }
        guard message.byteCount - position >= 2 else { throw ProtocolError("row of binary copy data is cut off") }
        let count = message.bigEndianInt16(at: position)
        position += 2
        if count == -1 {
            isAtEnd = true
            return nil
        }
        guard Int(count) == columns else {
            throw ProtocolError("row of \(count) columns in binary copy data, expected \(columns)")
        }
        let start = position
        for _ in 0..<columns {
            guard message.byteCount - position >= 4 else { throw ProtocolError("row of binary copy data is cut off") }
            let length = Int(message.bigEndianInt32(at: position))
            position += 4
            guard length >= -1, length <= message.byteCount - position else {
                throw ProtocolError(
                    "field of \(length) bytes in binary copy data, of which \(message.byteCount - position) came")
            }
            position += max(0, length)
        }
        return BinaryCopyRow(checked: message.extracting(start..<position), columns: columns)
    }
}

/// A row of binary copy data. Its bytes are borrowed: they are valid only during the call that passed it.
package struct BinaryCopyRow: ~Escapable {
    /// The fields, each with its length before it. All lengths are within the bytes.
    private let fields: RawSpan
    private let columns: Int

    @_lifetime(copy checked)
    fileprivate init(checked: RawSpan, columns: Int) {
        fields = checked
        self.columns = columns
    }

    /// The bytes of a field; nil if it is NULL. Traps if there is no such column.
    ///
    /// - Parameter column: From 0.
    @_lifetime(copy self)
    package func bytes(_ column: Int) -> RawSpan? {
        precondition((0..<columns).contains(column), "no such column")
        var position = 0
        for _ in 0..<column { position += 4 + max(0, Int(fields.bigEndianInt32(at: position))) }
        let length = Int(fields.bigEndianInt32(at: position))
        return length < 0 ? nil : fields.extracting(position + 4..<position + 4 + length)
    }

    /// The value of a column of type integer; nil if it is NULL.
    ///
    /// - Throws: If the field has another length than 4 bytes.
    package func int32(_ column: Int) throws(ProtocolError) -> Int32? {
        guard let field = bytes(column) else { return nil }
        guard field.byteCount == 4 else { throw Self.mismatch(field.byteCount, column, 4) }
        return field.bigEndianInt32(at: 0)
    }

    /// The value of a column of type bigint; nil if it is NULL. A timestamp is one, too: microseconds since 2000-01-01 UTC.
    ///
    /// - Throws: If the field has another length than 8 bytes.
    package func int64(_ column: Int) throws(ProtocolError) -> Int64? {
        guard let field = bytes(column) else { return nil }
        guard field.byteCount == 8 else { throw Self.mismatch(field.byteCount, column, 8) }
        return Int64(bitPattern: field.bigEndianUInt64(at: 0))
    }

    private static func mismatch(_ count: Int, _ column: Int, _ expected: Int) -> ProtocolError {
        ProtocolError("column \(column + 1) of binary copy data has \(count) bytes, expected \(expected)")
    }
}

extension RawSpan {
    /// Two bytes in network order; traps if out of bounds.
    fileprivate func bigEndianInt16(at offset: Int) -> Int16 {
        Int16(bitPattern: UInt16(byte(at: offset)) << 8 | UInt16(byte(at: offset + 1)))
    }

    /// Four bytes in network order; traps if out of bounds.
    fileprivate func bigEndianInt32(at offset: Int) -> Int32 {
        // As for `bigEndianUInt64`.
        unsafe Int32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Int32.self))
    }
}
