/// The most data in a second.
///
/// ```swift
/// options.maxRate = .megabytesPerSecond(50)
/// ```
public struct TransferRate: Sendable, Hashable, Comparable, Codable {
    /// Whole kilobytes of 1024 bytes, as the server counts in MAX_RATE.
    public var kilobytesPerSecond: Int

    private init(kilobytesPerSecond: Int) {
        self.kilobytesPerSecond = kilobytesPerSecond
    }

    /// - Parameter count: Kilobytes of 1024 bytes.
    public static func kilobytesPerSecond(_ count: Int) -> TransferRate {
        TransferRate(kilobytesPerSecond: count)
    }

    /// - Parameter count: Megabytes of 1024 kilobytes.
    public static func megabytesPerSecond(_ count: Int) -> TransferRate {
        TransferRate(kilobytesPerSecond: count * 1024)
    }

    public var bytesPerSecond: UInt64 { UInt64(max(0, kilobytesPerSecond)) * 1024 }

    public static func < (a: TransferRate, b: TransferRate) -> Bool {
        a.kilobytesPerSecond < b.kilobytesPerSecond
    }
}
