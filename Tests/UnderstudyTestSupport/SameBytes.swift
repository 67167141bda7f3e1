import Glibc

/// As `==`, which takes a second for 16 MiB in a debug build.
package func same(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    // Both buffers have that many bytes.
    one.count == other.count
        && (unsafe one.withUnsafeBytes { one in
            unsafe other.withUnsafeBytes { other in
                unsafe one.isEmpty || memcmp(one.baseAddress!, other.baseAddress!, one.count) == 0
            }
        })
}

// What is made byte by byte takes a hundred times as long without optimisation, and under a sanitizer more than that.
extension [UInt8] {
    /// Bytes that tell where they are: the same for the same seed, and no two stretches of them are equal.
    package static func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
        var value = UInt64(truncatingIfNeeded: seed) &+ 0x9E37_79B9_7F4A_7C15
        let capacity = (count + 7) / 8 * 8
        // SAFETY: the buffer has at least `capacity` bytes, of which all are written.
        return unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, initialized in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            var offset = 0
            while offset < capacity {
                value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                unsafe bytes.storeBytes(of: value ^ (value >> 32), toByteOffset: offset, as: UInt64.self)
                offset += 8
            }
            initialized = count
        }
    }

    package static func zeros(_ count: Int) -> [UInt8] {
        // SAFETY: the buffer has at least `count` bytes.
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            if count > 0 { unsafe memset(buffer.baseAddress!, 0, count) }
            initialized = count
        }
    }

    /// `count` bytes of these, over and over.
    package func repeated(upTo count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + self.count)
        while bytes.count < count { bytes += self }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
