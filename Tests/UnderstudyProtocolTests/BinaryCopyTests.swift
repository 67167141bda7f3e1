import Testing
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyProtocol

@Suite("Binary copy data")
struct BinaryCopyTests {
    /// The header as servers send it.
    private static let header = BinaryCopyReader.signature + [0, 0, 0, 0, 0, 0, 0, 0]
    private static let trailer: [UInt8] = [0xFF, 0xFF]

    private static func row(_ fields: [[UInt8]?]) -> [UInt8] {
        fields.reduce([0, UInt8(fields.count)]) { bytes, field in
            guard let field else { return bytes + [0xFF, 0xFF, 0xFF, 0xFF] }
            return bytes + [UInt8].bigEndian(UInt64(field.count)).suffix(4) + field
        }
    }

    /// The fields of all rows, and whether the end came.
    private func read(_ messages: [[UInt8]], columns: Int) throws(ProtocolError) -> (rows: [[[UInt8]?]], isAtEnd: Bool)
    {
        var reader = BinaryCopyReader(columns: columns)
        var rows: [[[UInt8]?]] = []
        for message in messages {
            try reader.take(message.raw, failure: { $0 }) { row throws(ProtocolError) in
                var fields: [[UInt8]?] = []
                for column in 0..<columns {
                    guard let field = row.bytes(column) else {
                        fields.append(nil)
                        continue
                    }
                    fields.append((0..<field.byteCount).map { field.byte(at: $0) })
                }
                rows.append(fields)
            }
        }
        return (rows, reader.isAtEnd)
    }

    private static let rows: [[[UInt8]?]] = [
        [[1, 2, 3, 4], nil, []], [nil, nil, nil], [[0xFF], Array("some bytes".utf8), [0]],
    ]

    @Test("is read however a server puts rows into messages")
    func whole() throws {
        let rows = Self.rows.map { Self.row($0) }
        for messages in [
            [Self.header + rows[0], rows[1], rows[2], Self.trailer],
            [Self.header, rows[0] + rows[1], rows[2], Self.trailer],
            [Self.header + rows.joined() + Self.trailer], [Self.header] + rows + [Self.trailer],
            [Self.header + rows[0] + rows[1], rows[2] + Self.trailer],
        ] {
            let found = try read(messages, columns: 3)
            #expect(found.rows == Self.rows && found.isAtEnd)
        }
    }

    @Test("may have no rows, and no columns")
    func empty() throws {
        #expect(try read([Self.header + Self.trailer], columns: 5).isAtEnd)
        let found = try read([Self.header, [0, 0], [0, 0], Self.trailer], columns: 0)
        #expect(found.rows == [[], []])
    }

    @Test("has not ended before its trailer")
    func end() throws {
        #expect(try !read([Self.header], columns: 1).isAtEnd)
        #expect(try !read([Self.header, Self.row([[1]])], columns: 1).isAtEnd)
    }

    @Test("has flags and a header extension that are ignored")
    func headerExtension() throws {
        let signature = BinaryCopyReader.signature
        #expect(try read([signature + [0, 0, 0xFF, 0xFF, 0, 0, 0, 3, 9, 9, 9] + Self.trailer], columns: 1).isAtEnd)
    }

    @Test("gives the values of integers")
    func integers() throws {
        var reader = BinaryCopyReader(columns: 3)
        let row = Self.row([[0xFF, 0xFF, 0xFF, 0xFE], .bigEndian(1 << 40 | 7), nil])
        var calls = 0
        try reader.take((Self.header + row).raw, failure: { $0 }) { row throws(ProtocolError) in
            calls += 1
            let values = (try row.int32(0), try row.int64(1), try row.int32(2), try row.int64(2))
            #expect(values.0 == -2 && values.1 == 1 << 40 | 7 && values.2 == nil && values.3 == nil)
            do throws(ProtocolError) { _ = try row.int64(0) } catch {
                calls += 1
                #expect(error.message == "column 1 of binary copy data has 4 bytes, expected 8")
            }
            do throws(ProtocolError) { _ = try row.int32(1) } catch {
                calls += 1
                #expect(error.message == "column 2 of binary copy data has 8 bytes, expected 4")
            }
        }
        #expect(calls == 3)
    }

    @Test("ends with the error of who takes the rows")
    func takersError() {
        struct Enough: Error {}
        var reader = BinaryCopyReader(columns: 1)
        #expect(throws: Enough.self) {
            try reader.take((Self.header + Self.row([[1]])).raw, failure: { _ in Enough() }) { _ throws(Enough) in
                throw Enough()
            }
        }
    }

    @Test("is refused when a message is cut short anywhere")
    func truncated() {
        let row = Self.row(Self.rows[2])
        for length in 0..<row.count {
            #expect(throws: ProtocolError.self, "\(length)") {
                try read([Self.header, Array(row.prefix(length))], columns: 3)
            }
        }
        for length in 0..<Self.header.count {
            #expect(throws: ProtocolError.self, "\(length)") {
                try read([Array(Self.header.prefix(length))], columns: 3)
            }
        }
        #expect(throws: ProtocolError.self) { try read([Self.header, [0xFF]], columns: 3) }
    }

    static let malformed: [(messages: [[UInt8]], message: String)] = [
        ([[]], "empty message in binary copy data"),
        ([header, []], "empty message in binary copy data"),
        ([row([[1]])], "binary copy data does not begin with its signature"),
        ([Array("PGCOPY\n".utf8)], "binary copy data does not begin with its signature"),
        // What a conversion of line ends makes of it.
        (
            [Array("PGCOPY\n".utf8) + [0xFF] + Array("\n\0".utf8) + [0, 0, 0, 0, 0, 0, 0, 0, 0]],
            "binary copy data does not begin with its signature"
        ),
        ([BinaryCopyReader.signature + [0, 0, 0, 0]], "header of binary copy data is cut off"),
        // OIDs, as servers before 12 had them.
        (
            [BinaryCopyReader.signature + [0, 1, 0, 0, 0, 0, 0, 0]],
            "binary copy data has unknown flags 65536 in its header"
        ),
        (
            [BinaryCopyReader.signature + [0x80, 0, 0, 0, 0, 0, 0, 0]],
            "binary copy data has unknown flags 2147483648 in its header"
        ),
        (
            [BinaryCopyReader.signature + [0, 0, 0, 0, 0, 0, 0, 3, 9, 9]],
            "header extension of 3 bytes in binary copy data, of which 2 came"
        ),
        (
            [BinaryCopyReader.signature + [0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]],
            "header extension of -1 bytes in binary copy data, of which 0 came"
        ),
        ([header, row([[1], [2]])], "row of 2 columns in binary copy data, expected 1"),
        ([header, row([])], "row of 0 columns in binary copy data, expected 1"),
        ([header, [0xFF, 0xFE]], "row of -2 columns in binary copy data, expected 1"),
        ([header, [0, 1, 0, 0, 0, 2, 9]], "field of 2 bytes in binary copy data, of which 1 came"),
        (
            [header, [0, 1, 0x7F, 0xFF, 0xFF, 0xFF, 9]],
            "field of 2147483647 bytes in binary copy data, of which 1 came"
        ),
        ([header, [0, 1, 0xFF, 0xFF, 0xFF, 0xFE]], "field of -2 bytes in binary copy data, of which 0 came"),
        ([header, row([[1]]) + [0]], "row of binary copy data is cut off"),
        ([header + trailer, row([[1]])], "data after the end of binary copy data"),
        ([header + trailer, trailer], "data after the end of binary copy data"),
        ([header + trailer + [0]], "data after the end of binary copy data"),
        ([header, header], "row of 20551 columns in binary copy data, expected 1"),
    ]

    @Test("is refused when it is something else", arguments: malformed)
    func refused(_ messages: [[UInt8]], _ message: String) {
        let error = #expect(throws: ProtocolError.self) { try read(messages, columns: 1) }
        #expect(error?.message == message)
    }
}
