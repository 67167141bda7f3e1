import UnderstudyProtocol

/// Messages of binary copy data: the first byte says how many columns are expected and whether the header is put before the
/// rest; two bytes say how long the first message is, the rest of which is one more.
///
/// Whatever is read is what stood there: written again, the rows are the bytes behind the header.
func fuzzCopy(_ input: [UInt8]) {
    guard var cut = CutInput(input) else { return }
    let header = Array("PGCOPY\n".utf8) + [0xFF] + Array("\r\n".utf8) + [UInt8](repeating: 0, count: 9)
    let isHeaded = cut.control & 1 == 1
    if isHeaded { cut.bytes = header + cut.bytes }
    guard !cut.bytes.isEmpty else { return }
    let columns = Int(cut.control >> 1) % 6
    var reader = BinaryCopyReader(columns: columns)
    var written: [UInt8] = []
    do throws(ProtocolError) {
        for piece in cut.pieces where !piece.isEmpty {
            try unsafe reader.take(cut.bytes.span.bytes.extracting(piece), failure: { $0 }) {
                row throws(ProtocolError) in
                written += bigEndian(UInt64(columns), 2)
                for column in 0..<columns { write(row.bytes(column), to: &written) }
                if columns > 0 { check(row) }
            }
        }
    } catch { return }
    if reader.isAtEnd { written += [0xFF, 0xFF] }
    precondition(cut.bytes.count >= header.count + written.count, "more is read than there is")
    precondition(cut.bytes.suffix(written.count).elementsEqual(written), "other rows than those that stand there")
    if isHeaded { precondition(cut.bytes.count == header.count + written.count, "bytes are left out") }
}

private func write(_ field: RawSpan?, to bytes: inout [UInt8]) {
    guard let field else {
        bytes += [0xFF, 0xFF, 0xFF, 0xFF]
        return
    }
    bytes += bigEndian(UInt64(field.byteCount), 4)
    for index in 0..<field.byteCount { bytes.append(unsafe field.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
}

/// An integer has the bytes that it was read from.
private func check(_ row: borrowing BinaryCopyRow) {
    var field: [UInt8] = []
    write(row.bytes(0), to: &field)
    if let value = try? row.int32(0) {
        precondition(
            field.dropFirst(4).elementsEqual(bigEndian(UInt64(truncatingIfNeeded: value), 4)), "another number")
    }
    if let value = try? row.int64(0) {
        precondition(field.dropFirst(4).elementsEqual(bigEndian(UInt64(bitPattern: value), 8)), "another number")
    }
}

private func bigEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
}
