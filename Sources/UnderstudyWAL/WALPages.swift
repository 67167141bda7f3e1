/// Finds from its pages how far a segment file contains WAL. The rest of the file is zeros, or old content from before
/// the server recycled the file.
///
/// Source: PostgreSQL's xlog_internal.h (XLogPageHeaderData) and xlogrecord.h (XLogRecord).
package struct WALPages: Sendable {
    package let segment: WALSegmentName
    package let pageSize: Int
    let magic: UInt16
    let order: WALByteOrder
    static let headerSize = 24

    /// - Parameter header: The header of the first page; it must match the segment.
    package init(_ segment: WALSegmentName, _ header: WALPageHeader) {
        self.segment = segment
        pageSize = header.pageSize
        magic = header.magic
        order = header.order
    }

    package var count: Int { Int(segment.size.bytes) / pageSize }

    /// Whether a page's header shows that it was written as page number `page` of this segment.
    package func isWritten(_ page: Int, _ bytes: [UInt8]) -> Bool {
        guard bytes.count >= Self.headerSize else { return false }
        return order.number(bytes, 0, 2) == UInt64(magic)
            && order.number(bytes, 8, 8) == segment.startLSN.rawValue + UInt64(page * pageSize)
    }

    /// The number of bytes used in a written page; nil if nothing follows its header. Servers zero a page before they
    /// write to it.
    package func used(_ bytes: [UInt8]) -> Int? {
        let end = unsafe bytes.span.bytes.endOfContent
        return end > Self.headerSize ? end : nil
    }

    /// Whether the last record before `end`, an offset in `page`, is a switch to the next segment. The rest of the
    /// segment is then unused.
    ///
    /// - Parameters:
    ///   - page: The whole page that contains the last byte.
    ///   - before: The page before it; empty if there is none.
    package func endsInSwitch(_ page: [UInt8], before: [UInt8], at end: Int) -> Bool {
        // The record XLOG_SWITCH of the resource manager XLOG (number 0). It consists of a header only.
        func isSwitch(_ size: Int, info: Int) -> Bool {
            guard let record = record(of: size, in: page, before, at: end) else { return false }
            return order.number(record, 0, 4) == UInt64(size) && record[info] & 0xF0 == 0x40 && record[info + 1] == 0
        }
        // The header's fields: length, transaction, previous record, info, resource manager, checksum. Up to 9.4 the
        // order differs, and there is one more field.
        return isSwitch(24, info: 16) || isSwitch(32, info: 12)
    }

    /// The record that ends at `end`. Records begin at a multiple of 8, and continue after the header of the next page.
    private func record(of size: Int, in page: [UInt8], _ before: [UInt8], at end: Int) -> [UInt8]? {
        let stop = (end + 7) & ~7
        guard Self.headerSize < stop, stop <= page.count else { return nil }
        let part = page[max(Self.headerSize, stop - size)..<stop]
        let record = Array(before.suffix(size - part.count) + part)
        return record.count == size ? record : nil
    }
}
