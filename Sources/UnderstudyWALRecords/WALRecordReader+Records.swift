import UnderstudyBackupFormat
import UnderstudyWAL

// Source of the rules and words: XLogReadRecord, ValidXLogRecordHeader and ValidXLogRecord.
extension WALRecordReader {
    /// Reads the records that begin in a page.
    ///
    /// - Parameter page: Shorter than a page if the range or the bytes end in it.
    mutating func readRecords(
        _ page: RawSpan, at address: LSN, from first: Int, _ format: WALFormat, _ body: (WALRecord) -> Void
    ) {
        var offset = first
        while offset < pageSize {
            let position = LSN(rawValue: address.rawValue + UInt64(offset))
            next = position
            if position >= limit { return complete() }
            // What came ends with a record.
            if offset >= page.byteCount, page.byteCount < pageSize { return }
            let room = pageSize - offset
            guard offset + min(room, format.headerSize) <= page.byteCount else {
                return stopWithin(position, at: address, page)
            }
            let length = Int(page.uint32(at: offset, format.order))
            var accepted: RecordHeader?
            if room >= format.headerSize {
                let header = RecordHeader(page, at: offset, format)
                guard accept(header, at: position, format) else {
                    return noteZeros(page.extracting(offset...))
                }
                accepted = header
            } else if length < format.headerSize {
                failAtLength(length, at: position, format)
                return noteZeros(page.extracting(offset...))
            }
            if let header = accepted, length <= room {
                let end = offset + length
                guard end <= page.byteCount else { return stopWithin(position, at: address, page) }
                let content = page.extracting(offset + format.headerSize..<end)
                var checksum = RecordChecksum(format)
                checksum.update(content)
                checksum.update(page.extracting(offset..<offset + format.checksumOffset))
                offset = aligned(end)
                let following = LSN(rawValue: address.rawValue + UInt64(offset))
                if !deliver(header, position, content, checksum.value, end: following, format, body) { return }
            } else {
                partial.begin(position, totalLength: length, isAccepted: accepted != nil, format)
                guard page.byteCount == pageSize else { return stopWithin(position, at: address, page) }
                partial.take(page.extracting(offset...), format)
                return
            }
        }
        next = LSN(rawValue: address.rawValue + UInt64(pageSize))
    }

    /// Stops within a record, because the range ends there, or the bytes do.
    mutating func stopWithin(_ position: LSN, at address: LSN, _ page: RawSpan) {
        let stop = LSN(rawValue: address.rawValue + UInt64(page.byteCount))
        if limit <= stop {
            complete()
            if flaw == nil { cutRecord = position }
        } else {
            fail(.missing, at: position, "WAL ends at \(stop), within the record at \(position)")
        }
    }

    /// Goes on with a record of which another part came.
    ///
    /// - Parameter end: The offset in the page at which the next record begins, if all of it came.
    /// - Returns: Whether all of it came, and is sound.
    mutating func finishPartial(
        _ format: WALFormat, end address: LSN, _ end: Int, _ body: (WALRecord) -> Void
    ) -> Bool {
        var record = PartialRecord()
        swap(&record, &partial)
        defer { swap(&record, &partial) }
        let header = RecordHeader(record.head.rawSpan, at: 0, format)
        if !record.isAccepted {
            guard accept(header, at: record.position, format) else { return false }
            record.isAccepted = true
        }
        guard record.remaining == 0 else { return false }
        record.giveUp()
        let following = LSN(rawValue: address.rawValue + UInt64(end))
        let content = record.head.rawSpan.extracting(format.headerSize...)
        return deliver(header, record.position, content, record.finish(format), end: following, format, body)
    }

    private mutating func accept(_ header: RecordHeader, at position: LSN, _ format: WALFormat) -> Bool {
        let length = header.totalLength
        guard length >= format.headerSize, !format.isLegacy || isSoundLegacy(header, at: position, format) else {
            failAtLength(length, at: position, format)
            return false
        }
        guard format.hasManager(header.resourceManager) else {
            fail(.resourceManager, at: position, "invalid resource manager ID \(header.resourceManager) at \(position)")
            return false
        }
        let follows = if let previous { header.previous == previous } else { header.previous < position }
        if !follows {
            fail(.chain, at: position, "record with incorrect prev-link \(header.previous) at \(position)")
        }
        return follows
    }

    /// Up to 9.4 a record has the lengths of its parts in its header, and data unless it is a switch.
    private func isSoundLegacy(_ header: RecordHeader, at position: LSN, _ format: WALFormat) -> Bool {
        let blocks = (header.info & 0x0F).nonzeroBitCount
        // The header of an image, and the page, of at most 32 kB.
        let rest = header.totalLength - format.headerSize - header.dataLength
        return header.isSwitch == (header.dataLength == 0) && (blocks * 24...blocks * (24 + 1 << 15)).contains(rest)
    }

    private mutating func failAtLength(_ length: Int, at position: LSN, _ format: WALFormat) {
        fail(
            .recordLength, at: position,
            "invalid record length at \(position): expected at least \(format.headerSize), got \(length)")
    }

    /// Tells a record that was never written from one whose length is wrong.
    private mutating func noteZeros(_ rest: RawSpan) {
        if flaw?.kind == .recordLength, rest.isZero { flaw?.kind = .zeros }
    }

    /// Passes on a record whose header was accepted.
    ///
    /// - Parameters:
    ///   - content: What follows the header, or the beginning of that.
    ///   - checksum: What the record's should be.
    /// - Returns: Whether the next record begins at `end`.
    private mutating func deliver(
        _ header: RecordHeader, _ position: LSN, _ content: RawSpan, _ checksum: UInt32, end: LSN, _ format: WALFormat,
        _ body: (WALRecord) -> Void
    ) -> Bool {
        computedChecksum = checksum
        guard checksum == header.checksum else {
            fail(.checksum, at: position, "incorrect resource manager data checksum in record at \(position)")
            return false
        }
        let parts: RecordContent
        do throws(RecordContent.Flaw) {
            parts = try RecordContent(content, length: header.totalLength - format.headerSize, header, format)
        } catch {
            fail(.content, at: position, "\(error.message) at \(position)")
            return false
        }
        guard isInPlace(header, position, content, dataLength: parts.dataLength, format) else { return false }
        let segmentEnd = LSN(rawValue: position.segmentStart(segmentSize).rawValue + segmentSize.bytes)
        let following = header.isSwitch ? segmentEnd : end
        previous = position
        next = following
        if position >= start {
            lastRecord = position
            recordCount += 1
            body(
                WALRecord(
                    position: position, end: following, previous: header.previous, totalLength: header.totalLength,
                    transaction: header.transaction,
                    resourceManager: WALResourceManager(number: header.resourceManager),
                    info: header.info, dataLength: parts.dataLength, imageCount: parts.imageCount,
                    imagesLength: parts.imagesLength, compression: parts.compression))
        }
        if header.isSwitch { wanted = segmentEnd }
        return !header.isSwitch
    }

    /// Whether the first record of the range is where the range begins, and a record replaces the one that was given up
    /// before it.
    private mutating func isInPlace(
        _ header: RecordHeader, _ position: LSN, _ content: RawSpan, dataLength: Int, _ format: WALFormat
    ) -> Bool {
        if lastRecord == nil, position >= start {
            guard !startsAtRecord || isStart(position) else {
                fail(.start, at: start, "no record begins at \(start): the next one begins at \(position)")
                return false
            }
            if let predecessor, header.previous != predecessor {
                fail(.chain, at: position, "record with incorrect prev-link \(header.previous) at \(position)")
                return false
            }
        }
        guard let missing = abandoned else { return true }
        abandoned = nil
        let offset = header.totalLength - format.headerSize - dataLength
        guard header.isOverwrite, dataLength >= 8, offset + 8 <= content.byteCount,
            content.uint64(at: offset, format.order) == missing.rawValue
        else {
            fail(.overwrite, at: position, "the record at \(position) does not replace the one at \(missing)")
            return false
        }
        return true
    }

    /// A page's start stands for the first record behind its header.
    private func isStart(_ position: LSN) -> Bool {
        let page = LSN(rawValue: position.rawValue & ~UInt64(pageSize - 1))
        let header = page.isSegmentStart(segmentSize) ? Self.longHeader : Self.shortHeader
        return position == start || (start == page && position.rawValue == page.rawValue + UInt64(header))
    }
}
