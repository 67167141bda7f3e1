import UnderstudyWAL

// Integers have no invalid bit patterns; the loads check the bounds, and may begin at any offset.
extension RawSpan {
    @inline(__always)
    func uint16(at offset: Int, _ order: WALByteOrder) -> UInt16 {
        let value = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)
        return order == .little ? UInt16(littleEndian: value) : UInt16(bigEndian: value)
    }

    @inline(__always)
    func uint32(at offset: Int, _ order: WALByteOrder) -> UInt32 {
        let value = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
        return order == .little ? UInt32(littleEndian: value) : UInt32(bigEndian: value)
    }

    @inline(__always)
    func uint64(at offset: Int, _ order: WALByteOrder) -> UInt64 {
        let value = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        return order == .little ? UInt64(littleEndian: value) : UInt64(bigEndian: value)
    }
}

/// The next multiple of 8: where records and what follows a record's rest begin.
@inline(__always)
func aligned(_ length: Int) -> Int { (length + 7) & ~7 }
