import Glibc

/// Waits for a condition that another process brings about, by asking again and again; throws when it has not come
/// about after `polls` questions.
///
/// - Parameter what: What is waited for, for the error.
package func eventually(_ what: String, polls: Int = 2000, _ condition: () throws -> Bool) throws {
    for _ in 0..<polls {
        if try condition() { return }
        usleep(10_000)
    }
    throw SupportError("waited in vain: \(what)")
}
