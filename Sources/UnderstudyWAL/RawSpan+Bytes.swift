extension RawSpan {
    /// The byte at `offset`; traps if out of bounds.
    @inlinable @inline(__always)
    package func byte(at offset: Int) -> UInt8 {
        // A UInt8 has no invalid bit patterns, and the load checks the bounds.
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// Eight bytes in network order; traps if out of bounds.
    @inlinable @inline(__always)
    package func bigEndianUInt64(at offset: Int) -> UInt64 {
        // A UInt64 has no invalid bit patterns, the load checks the bounds, and may begin at any offset.
        unsafe UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Whether all bytes are zero.
    @inlinable
    package var isZero: Bool {
        var offset = 0
        var bits: UInt64 = 0
        while byteCount - offset >= 8 {
            // As above.
            bits |= unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        while offset < byteCount {
            bits |= UInt64(byte(at: offset))
            offset += 1
        }
        return bits == 0
    }

    /// The offset after the last byte that is not zero; 0 if all are.
    package var endOfContent: Int {
        var end = byteCount
        // Pages at first: most of a file that is not full is zeros.
        while end >= 4096, extracting((end - 4096)..<end).isZero { end -= 4096 }
        while end > 0, byte(at: end - 1) == 0 { end -= 1 }
        return end
    }
}
