import CUnderstudyLinux

/// An incremental CRC-32C (Castagnoli), as PostgreSQL computes it.
package struct CRC32C: Sendable {
    private var register: UInt32 = 0xFFFF_FFFF

    package init() {}

    /// The checksum of all bytes so far.
    package var value: UInt32 { ~register }

    package mutating func update(_ bytes: RawSpan) {
        // The function reads exactly the bytes of the buffer, and keeps no pointer.
        register = unsafe bytes.withUnsafeBytes { buffer in
            unsafe understudy_crc32c(register, buffer.baseAddress, buffer.count)
        }
    }

    /// Like `update`, but without the processor's CRC instruction. Tests compare the two.
    package mutating func updatePortably(_ bytes: RawSpan) {
        // As above.
        register = unsafe bytes.withUnsafeBytes { buffer in
            unsafe understudy_crc32c_portable(register, buffer.baseAddress, buffer.count)
        }
    }
}
