/// Tells by the pages of a segment's file how far it holds WAL: what follows is zeros, or what was there before the server
/// used the file again.
///
/// Source: PostgreSQL's xlog_internal.h (XLogPageHeaderData) and xlogrecord.h (XLogRecord).
package struct WALPages: Sendable {
    package let segment: WALSegmentName
    package let pageSize: Int
    private let magic: UInt16
    private let order: WALByteOrder
    private static let headerSize = 24

    /// - Parameter header: Of the first page; it must match the segment.
    package init(_ segment: WALSegmentName, _ header: WALPageHeader) {
        self.segment = segment
        pageSize = header.pageSize
        magic = header.magic
        order = header.order
    }

    package var count: Int { Int(segment.size.bytes) / pageSize }

    /// Whether a page was written as this one of the segment, by what it begins with.
    package func isWritten(_ page: Int, _ bytes: [UInt8]) -> Bool {
        guard bytes.count >= Self.headerSize else { return false }
        return order.number(bytes, 0, 2) == UInt64(magic)
            && order.number(bytes, 8, 8) == segment.startLSN.rawValue + UInt64(page * pageSize)
    }

    /// How many bytes of a page that was written are used; nil if there is nothing behind its header. Servers fill a page
    /// with zeros before they write to it.
    package func used(_ bytes: [UInt8]) -> Int? {
        guard let last = bytes.lastIndex(where: { $0 != 0 }), last >= Self.headerSize else { return nil }
        return last + 1
    }

    /// Whether the last record before `end`, an offset within the second of two pages, is the switch to the next segment: the
    /// rest of the segment is not used then.
    ///
    /// - Parameters:
    ///   - page: All of the page that has the last byte.
    ///   - before: The page before it; empty if there is none.
    package func endsInSwitch(_ page: [UInt8], before: [UInt8], at end: Int) -> Bool {
        // Of the resource manager XLOG, which is number 0, the record XLOG_SWITCH. It has nothing but a header.
        func isSwitch(_ size: Int, info: Int) -> Bool {
            guard let record = record(of: size, in: page, before, at: end) else { return false }
            return order.number(record, 0, 4) == UInt64(size) && record[info] & 0xF0 == 0x40 && record[info + 1] == 0
        }
        // Length, transaction, previous record, info, resource manager, checksum; up to 9.4 these are in another order, with
        // one more field.
        return isSwitch(24, info: 16) || isSwitch(32, info: 12)
    }

    /// The record that ends there: it begins at a multiple of 8, and goes on behind the header of the next page.
    private func record(of size: Int, in page: [UInt8], _ before: [UInt8], at end: Int) -> [UInt8]? {
        let stop = (end + 7) & ~7
        guard Self.headerSize < stop, stop <= page.count else { return nil }
        let part = page[max(Self.headerSize, stop - size)..<stop]
        let record = Array(before.suffix(size - part.count) + part)
        return record.count == size ? record : nil
    }
}
