extension [UInt8] {
    /// The elements as bytes, for as long as the array is borrowed.
    package var raw: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            // A UInt8 has no padding.
            unsafe span.bytes
        }
    }

    /// Bytes of a WAL that has no two equal stretches.
    package static func wal(_ count: Int, from start: Int = 0) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        for index in 0..<count {
            let place = start + index
            bytes[index] = UInt8(truncatingIfNeeded: place ^ (place >> 8) ^ (place >> 16) &+ 1)
        }
        return bytes
    }
}
