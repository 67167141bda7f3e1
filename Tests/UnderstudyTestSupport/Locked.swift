import Foundation

/// A value under a lock that ThreadSanitizer knows, which Swift's `Mutex` (6.3) is not.
package final class Locked<Value>: @unchecked Sendable {
    // Sendable: the value is touched only with the lock held.
    private var value: Value
    private let lock = NSLock()

    package init(_ value: sending Value) {
        self.value = value
    }

    package func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
