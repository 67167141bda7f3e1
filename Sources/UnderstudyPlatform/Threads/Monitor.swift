import CUnderstudyLinux
import Glibc

/// A value protected by a lock, with waiting for changes: a mutex and a condition variable.
///
/// Swift's `Mutex` has no condition variable, which a thread that waits for blocks needs. Besides, ThreadSanitizer does
/// not recognise its waiting, and reports false races once two threads contend for it (Swift 6.3). So all of Understudy
/// uses this lock.
@safe package final class Monitor<State: ~Copyable>: @unchecked Sendable {
    // Sendable: `state` is accessed only with `mutex` held.
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init(_ state: consuming State) {
        self.state = state
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe understudy_condition_init(condition)
    }

    deinit {
        // No thread is waiting: a waiter holds a reference to self.
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Reads or changes the state, and wakes the waiting threads.
    package func update<Value>(_ body: (inout State) -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer {
            unsafe pthread_cond_broadcast(condition)
            unsafe pthread_mutex_unlock(mutex)
        }
        return body(&state)
    }

    /// Changes state that no thread waits for, without waking any.
    package func change<Value>(_ body: (inout State) -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Reads the state without waking any thread.
    package func read<Value>(_ body: (borrowing State) -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(state)
    }

    /// Waits until `body`, called with the lock held after each change, returns a value.
    ///
    /// - Parameter timeout: The longest time to wait, regardless of changes; nil for no limit.
    /// - Returns: The value, or nil if the timeout passed.
    package func wait<Value>(timeout: Duration? = nil, until body: (inout State) -> Value?) -> Value? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        let end = timeout.map { ContinuousClock.now + $0 }
        while true {
            if let value = body(&state) {
                unsafe pthread_cond_broadcast(condition)
                return value
            }
            let limit = end.map { max(.zero, $0 - ContinuousClock.now).nanoseconds } ?? -1
            if unsafe understudy_condition_wait(condition, mutex, limit) == ETIMEDOUT { return body(&state) }
        }
    }
}

extension Duration {
    /// Whole nanoseconds, at least zero; large values are capped.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0 else { return 0 }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max / 2 : whole + attoseconds / 1_000_000_000
    }

    /// Whole milliseconds for poll(2), rounded up so that a short wait does not become a busy loop.
    package var pollMilliseconds: CInt {
        CInt(clamping: (nanoseconds + 999_999) / 1_000_000)
    }
}
