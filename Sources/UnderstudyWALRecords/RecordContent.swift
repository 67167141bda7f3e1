import UnderstudyWAL

/// What a record holds behind its header, as the headers of its blocks and data tell.
///
/// Source: xlogrecord.h: headers of blocks, each with a number up to 32 (fork and flags, length of its data, header of its
/// image, relation, block), then one of the data; what they announce follows in their order.
struct RecordContent {
    var dataLength = 0
    var imageCount = 0
    var imagesLength = 0
    var compression: WALRecord.ImageCompression = []

    /// What no server writes, in a few words.
    struct Flaw: Error {
        let message: String
    }

    /// The headers of all blocks and of the data have at most this many bytes.
    static let longestHeaders = 1024

    /// - Parameters:
    ///   - head: What follows the record's header, at least the first ``longestHeaders`` bytes of it.
    ///   - length: The length of all that follows the header.
    init(_ head: RawSpan, length: Int, _ header: RecordHeader, _ format: WALFormat) throws(Flaw) {
        if format.isLegacy {
            dataLength = header.dataLength
            imagesLength = length - header.dataLength
            // A flag for each of four blocks.
            imageCount = (header.info & 0x0F).nonzeroBitCount
            return
        }
        var cursor = Cursor(limit: min(head.byteCount, length))
        var announced = 0
        var lastBlock = -1
        var hasRelation = false
        while length - cursor.offset > announced {
            let id = try cursor.byte(head)
            switch id {
            case 0...32:
                guard Int(id) > lastBlock else { throw Flaw(message: "out-of-order block_id \(id)") }
                lastBlock = Int(id)
                let flags = try cursor.byte(head)
                let dataLength = Int(try cursor.uint16(head, format.order))
                guard (flags & 0x20 != 0) == (dataLength > 0) else {
                    throw Flaw(
                        message: dataLength > 0
                            ? "BKPBLOCK_HAS_DATA not set, but data length is \(dataLength)"
                            : "BKPBLOCK_HAS_DATA set, but no data included")
                }
                announced += dataLength
                if flags & 0x10 != 0 { announced += try takeImage(head, &cursor, format) }
                if flags & 0x80 == 0 {
                    try cursor.skip(12)
                    hasRelation = true
                } else if !hasRelation {
                    throw Flaw(message: "BKPBLOCK_SAME_REL set but no previous rel")
                }
                try cursor.skip(4)
            // The transaction above it, the origin of what was replicated.
            case 252: try cursor.skip(4)
            case 253: try cursor.skip(2)
            case 254, 255:
                dataLength = id == 255 ? Int(try cursor.byte(head)) : Int(try cursor.uint32(head, format.order))
                announced += dataLength
            default: throw Flaw(message: "invalid block_id \(id)")
            }
            // The data's header is the last one.
            if id >= 254 { break }
        }
        guard length - cursor.offset == announced else { throw Flaw(message: "record with invalid length") }
    }

    /// - Returns: The length of the image.
    private mutating func takeImage(_ head: RawSpan, _ cursor: inout Cursor, _ format: WALFormat) throws(Flaw) -> Int {
        let length = Int(try cursor.uint16(head, format.order))
        // Where its hole begins.
        try cursor.skip(2)
        let flags = try cursor.byte(head)
        let method = format.compression(ofImage: flags)
        // How long the hole is, which otherwise follows from the length.
        if flags & 0x01 != 0, !method.isEmpty { try cursor.skip(2) }
        imageCount += 1
        imagesLength += length
        compression.formUnion(method)
        return length
    }

    /// Where the next header is read from.
    private struct Cursor {
        var offset = 0
        let limit: Int

        mutating func skip(_ count: Int) throws(Flaw) {
            guard limit - offset >= count else { throw Flaw(message: "record with invalid length") }
            offset += count
        }

        mutating func byte(_ head: RawSpan) throws(Flaw) -> UInt8 {
            try skip(1)
            return head.byte(at: offset - 1)
        }

        mutating func uint16(_ head: RawSpan, _ order: WALByteOrder) throws(Flaw) -> UInt16 {
            try skip(2)
            return head.uint16(at: offset - 2, order)
        }

        mutating func uint32(_ head: RawSpan, _ order: WALByteOrder) throws(Flaw) -> UInt32 {
            try skip(4)
            return head.uint32(at: offset - 4, order)
        }
    }
}
