import UnderstudyCore

/// Remembers the last error, so that it is logged once and not each time it occurs again.
struct RepeatedErrorFilter {
    private var last: String?

    mutating func isNew(_ error: UnderstudyError) -> Bool {
        defer { last = error.message }
        return last != error.message
    }

    mutating func reset() { last = nil }
}
