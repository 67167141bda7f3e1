import Glibc
package import UnderstudyStreaming
package import UnderstudyWAL

/// WAL as a server sends it, as far as a destination looks at it: the headers of pages are valid, and between them are
/// bytes that hardly compress.
package struct SampleWAL: Sendable {
    package var systemIdentifier = "7380000000000000001"
    package var size: WALSegmentSize

    /// - Parameter segmentSize: A power of two from 1 MB to 1 GB.
    package init(segmentSize: Int = 1 << 20) {
        guard let size = WALSegmentSize(bytes: UInt64(segmentSize)) else {
            preconditionFailure("a server has no segments of \(segmentSize) bytes")
        }
        self.size = size
    }

    package func segment(_ number: UInt64, timeline: TimelineID = 1) -> WALSegment {
        guard let name = WALSegmentName(timeline: timeline, number: number, size: size) else {
            preconditionFailure("no server has a segment \(number)")
        }
        return WALSegment(name)
    }

    /// - Parameter forks: Where the timelines before this one ended, by their number.
    package func origin(timeline: TimelineID = 1, forks: [TimelineID: LSN] = [:]) -> WALOrigin {
        WALOrigin(
            systemIdentifier: systemIdentifier, segmentSize: Int(size.bytes), timeline: timeline,
            history: forks.isEmpty ? nil : Self.history(forks), reliesOnAcknowledgement: true)
    }

    /// The content of the history file of a timeline with these ancestors.
    package static func history(_ forks: [TimelineID: LSN]) -> [UInt8] {
        let lines = forks.sorted { $0.key < $1.key }.map { "\($0.key)\t\($0.value)\tno recovery target specified\n" }
        return Array(lines.joined().utf8)
    }

    /// All bytes of a segment. No two segments are equal, and no two stretches of one.
    ///
    /// - Parameter headerSize: The segment size that the first page tells, if it is to be wrong.
    package func content(of segment: WALSegment, headerSize: Int? = nil) -> [UInt8] {
        var bytes = Self.noise
        while bytes.count < segment.size { bytes += bytes }
        func put<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
            for index in 0..<Number.bitWidth / 8 {
                bytes[offset + index] = UInt8(truncatingIfNeeded: number >> Number(8 * index))
            }
        }
        for offset in [40, 500_000, segment.size - 48_576] {
            put(UInt8(truncatingIfNeeded: segment.start.rawValue / size.bytes), at: offset)
        }
        for page in stride(from: 0, to: bytes.count, by: 8192) {
            put(0xD118 as UInt16, at: page)
            put(page == 0 ? 0x0002 as UInt16 : 0, at: page + 2)
            put(segment.timeline.rawValue, at: page + 4)
            put(segment.start.rawValue + UInt64(page), at: page + 8)
            put(0 as UInt64, at: page + 16)
        }
        put(UInt64(systemIdentifier) ?? 0, at: 24)
        put(UInt32(headerSize ?? segment.size), at: 32)
        put(8192 as UInt32, at: 36)
        return bytes
    }

    private static let noise: [UInt8] = {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        var bytes: [UInt8] = []
        for _ in 0..<1 << 17 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            // No zeros: those are what follows the last byte that was written.
            for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: state >> UInt64(8 * byte)) | 1) }
        }
        return bytes
    }()
}

extension [UInt8] {
    /// Whether the first `count` bytes of both are equal. Fast without optimisation, too.
    package func hasSamePrefix(as other: [UInt8], _ count: Int) -> Bool {
        guard self.count >= count, other.count >= count else { return false }
        return unsafe withUnsafeBytes { left in
            // Both have at least `count` bytes.
            unsafe other.withUnsafeBytes { right in
                unsafe count == 0 || memcmp(left.baseAddress!, right.baseAddress!, count) == 0
            }
        }
    }

    /// Whether everything from `start` on is zero.
    package func isZero(from start: Int) -> Bool {
        guard start < count else { return true }
        guard self[start] == 0 else { return false }
        // The first byte is zero, and each other equals the one before it.
        return unsafe withUnsafeBytes { bytes in
            // Both ranges are within the array.
            unsafe memcmp(bytes.baseAddress! + start, bytes.baseAddress! + start + 1, count - start - 1) == 0
        }
    }
}
