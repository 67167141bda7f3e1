import CUnderstudyLinux
import Glibc

/// A value under a lock, with waiting for a change of it: a mutex and a condition variable.
///
/// Swift's `Mutex` has no condition to wait for; a thread that waits for blocks needs one. And ThreadSanitizer does not
/// see how it waits, and takes what it guards for a race as soon as two threads want it (Swift 6.3): this is the lock
/// of all of Understudy.
@safe package final class Monitor<State: ~Copyable>: @unchecked Sendable {
    // Sendable: `state` is read and written only with `mutex` held.
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
        // Nobody waits: a waiter holds a reference to self.
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Looks at or changes the state, and wakes those who wait for a change.
    package func update<Value>(_ body: (inout State) -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer {
            unsafe pthread_cond_broadcast(condition)
            unsafe pthread_mutex_unlock(mutex)
        }
        return body(&state)
    }

    /// Changes what nobody waits for, and wakes nobody.
    package func change<Value>(_ body: (inout State) -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Looks at the state without waking anybody.
    package func read<Value>(_ body: (borrowing State) -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(state)
    }

    /// Waits until `body`, called with the lock held after each change, returns a value.
    ///
    /// - Parameter timeout: The longest time to wait, whatever changes meanwhile; nil for no limit.
    /// - Returns: The value, or nil when the time ran out.
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
    /// Whole nanoseconds, at least zero; large values are cut off.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0 else { return 0 }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max / 2 : whole + attoseconds / 1_000_000_000
    }

    /// Whole milliseconds for poll(2), rounded up so that a wait is never a busy one.
    package var pollMilliseconds: CInt {
        CInt(clamping: (nanoseconds + 999_999) / 1_000_000)
    }
}
