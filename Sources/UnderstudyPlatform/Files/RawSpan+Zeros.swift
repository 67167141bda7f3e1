import Glibc

extension RawSpan {
    /// How many bytes at the beginning are zeros, in whole pages of ``Block/alignment``; the rest of the span after its
    /// last whole page counts as one, too. Reads no further than the first page with something else.
    package var leadingZeros: Int {
        var count = 0
        while count < byteCount, isZero(in: count..<min(byteCount, count + Block.alignment)) {
            count = min(byteCount, count + Block.alignment)
        }
        return count
    }

    /// How many bytes at the end are zeros, in the same pages.
    var trailingZeros: Int {
        var start = byteCount
        while start > 0 {
            let page = Block.whole(start - 1)
            guard isZero(in: page..<start) else { break }
            start = page
        }
        return byteCount - start
    }

    /// - Parameter range: Not empty.
    private func isZero(in range: Range<Int>) -> Bool {
        // Each byte equals the one before it, and the first is zero. Both stretches lie in the span, which checks that.
        unsafe extracting(range).withUnsafeBytes { bytes in
            unsafe bytes[0] == 0 && memcmp(bytes.baseAddress!, bytes.baseAddress! + 1, bytes.count - 1) == 0
        }
    }
}
