import UnderstudyWAL

/// What a page of a relation says of itself.
///
/// Source: the server's storage/bufpage.h, PageHeaderData; PageIsNew and PageIsVerified in bufpage.c.
package struct PageHeader: Hashable, Sendable {
    /// The end of the WAL record that changed the page last: pd_lsn.
    package var lsn: UInt64
    /// pd_checksum: 0 if the page has none.
    package var checksum: UInt16
    /// Where the page's free space ends: pd_upper.
    package var upper: UInt16
    /// The size that the page says it has.
    package var pageSize: Int
    /// The version of the layout: 4 since PostgreSQL 8.3.
    package var layoutVersion: Int

    package static let size = 24

    /// Nil if there are fewer bytes than a header has.
    package init?(_ page: RawSpan) {
        guard page.byteCount >= Self.size else { return nil }
        // The high half comes first, each in the server's byte order.
        lsn = UInt64(page.littleEndian32(at: 0)) << 32 | UInt64(page.littleEndian32(at: 4))
        checksum = page.littleEndian16(at: 8)
        upper = page.littleEndian16(at: 14)
        let sizeAndVersion = page.littleEndian16(at: 18)
        pageSize = Int(sizeAndVersion & 0xFF00)
        layoutVersion = Int(sizeAndVersion & 0xFF)
    }

    /// Whether nothing has been put into the page. Such a page is sound if all of it is zero (`RawSpan.isZero`), as after
    /// the relation was extended in a crash; it has no checksum.
    package var isNew: Bool { upper == 0 }

    /// Whether the page has the layout of servers of this byte order with this block size.
    package func hasLayout(blockSize: Int) -> Bool {
        pageSize == blockSize && layoutVersion == 4
    }
}

extension RawSpan {
    fileprivate func littleEndian16(at offset: Int) -> UInt16 {
        UInt16(byte(at: offset)) | UInt16(byte(at: offset + 1)) << 8
    }

    fileprivate func littleEndian32(at offset: Int) -> UInt32 {
        UInt32(littleEndian16(at: offset)) | UInt32(littleEndian16(at: offset + 2)) << 16
    }
}
