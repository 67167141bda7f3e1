extension RawSpan {
    /// A copy of the bytes.
    package var array: [UInt8] {
        // The buffer is read only while the closure runs.
        unsafe withUnsafeBytes { buffer in
            unsafe [UInt8](buffer)
        }
    }

    /// Appends a copy of the bytes to `array`.
    package func append(to array: inout [UInt8]) {
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
