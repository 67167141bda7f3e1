import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

extension ArchivedContents {
    /// How far a file holds the WAL of its segment.
    struct Extent: Equatable {
        /// The offset after the last nonzero byte. What was received may extend a little further.
        var end: Int
        /// Whether the segment has nothing more: it is full, or ends with a switch to the next one.
        var isWhole: Bool
    }

    /// Determines the extent from the page headers; nil if the first page has none.
    func extent() throws(WALDestinationError) -> Extent? {
        guard let header = try header(), header.address == segment.segment.startLSN else { return nil }
        let pages = WALPages(segment.segment, header)
        return if let compressed { try extent(of: compressed, pages) } else { try plainExtent(pages) }
    }

    /// The position after the last record, as far as it can be determined; nil if there is none.
    func end() throws(WALDestinationError) -> LSN? {
        guard let extent = try extent() else { return nil }
        let start = segment.segment.startLSN.rawValue
        // Records end at multiples of 8, possibly with zeros.
        return min(segment.segment.endLSN, LSN(rawValue: (start + UInt64(extent.end) + 7) & ~7))
    }

    private func plainExtent(_ pages: WALPages) throws(WALDestinationError) -> Extent {
        func page(_ number: Int) throws(WALDestinationError) -> [UInt8] {
            try writing { () throws(FileIOError) in
                try directory.readLinked(name, from: Int64(number * pages.pageSize), atMost: pages.pageSize)
            }
        }
        // Pages are written without a gap, so bisection finds the first unwritten one.
        var written = 1, unwritten = pages.count
        while written < unwritten {
            let middle = written + (unwritten - written) / 2
            if pages.isWritten(middle, try page(middle)) { written = middle + 1 } else { unwritten = middle }
        }
        var last = written - 1
        var bytes = try page(last)
        // Servers up to 10 write page headers after a switch, too.
        while last > 0, pages.used(bytes) == nil {
            last -= 1
            bytes = try page(last)
        }
        let used = pages.used(bytes) ?? 0
        let before = last > 0 ? try page(last - 1) : []
        return Extent(
            end: last * pages.pageSize + used,
            isWhole: written == pages.count || pages.endsInSwitch(bytes, before: before, at: used))
    }

    private func extent(of compressed: CompressedFile, _ pages: WALPages) throws(WALDestinationError) -> Extent {
        var number = 0
        var end = 0, used = 0
        var last: [UInt8] = [], before: [UInt8] = [], previous: [UInt8] = []
        try compressed.pages(of: pages.pageSize) { page in
            guard number < pages.count, pages.isWritten(number, page) else { return false }
            if let count = pages.used(page) {
                (last, before, used) = (page, previous, count)
                end = number * pages.pageSize + count
            }
            previous = page
            number += page.count == pages.pageSize ? 1 : 0
            return true
        }
        return Extent(
            end: end, isWhole: number == pages.count || pages.endsInSwitch(last, before: before, at: used))
    }

    /// A part of its content, shorter if the content ends first.
    func bytes(_ range: Range<Int>) throws(WALDestinationError) -> [UInt8] {
        guard let compressed else {
            return try writing { () throws(FileIOError) in
                try directory.readLinked(name, from: Int64(range.lowerBound), atMost: range.count)
            }
        }
        var bytes: [UInt8] = []
        var offset = 0
        try compressed.pages(of: 1 << 16) { page in
            let start = max(0, range.lowerBound - offset), end = min(page.count, range.upperBound - offset)
            if start < end { bytes += page[start..<end] }
            offset += page.count
            return offset < range.upperBound
        }
        return bytes
    }

    /// Passes the content to `take` in pages of this size, of which the last may be shorter, until `take` returns
    /// false.
    func pages(
        of size: Int, _ take: ([UInt8]) throws(WALDestinationError) -> Bool
    ) throws(WALDestinationError) {
        try file.pages(of: size, take)
    }

    /// nil if it is not compressed.
    var compressed: CompressedFile? { file.compressed }

    var file: StoredFile { StoredFile(name, segment.compression, in: directory) }
}
