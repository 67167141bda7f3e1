extension RawSpan {
    /// The byte at `offset`; traps if out of bounds.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        // A UInt8 has no invalid bit patterns, and the load checks the bounds.
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// Whether all bytes are zero.
    var isZero: Bool {
        var offset = 0
        var bits: UInt64 = 0
        while byteCount - offset >= 8 {
            // A UInt64 has no invalid bit patterns, and the load checks the bounds.
            bits |= unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        while offset < byteCount {
            bits |= UInt64(byte(at: offset))
            offset += 1
        }
        return bits == 0
    }

    /// A copy of the bytes.
    var array: [UInt8] {
        // The buffer is read only while the closure runs.
        unsafe withUnsafeBytes { buffer in
            unsafe [UInt8](buffer)
        }
    }

    /// Appends a copy of the bytes to `array`.
    func append(to array: inout [UInt8]) {
        // The buffer is read only while the closure runs.
        unsafe withUnsafeBytes { buffer in
            unsafe array.append(contentsOf: buffer)
        }
    }
}

extension [UInt8] {
    /// The elements as bytes, while the array is borrowed.
    package var rawSpan: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            // A UInt8 has no padding: all bytes of the span are initialised.
            unsafe span.bytes
        }
    }
}
