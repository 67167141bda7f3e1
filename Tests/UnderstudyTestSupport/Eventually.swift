import Glibc

/// Waits for a condition that another process brings about, by asking again and again; throws when it has not come
/// about after `polls` questions.
///
/// The longer it takes the less often is asked, since a question may be a program that runs: from each 10 ms to each 100 ms.
///
/// - Parameter what: What is waited for, for the error.
package func eventually(_ what: String, polls: Int = 1000, _ condition: () throws -> Bool) throws {
    var pause: UInt32 = 10_000
    for _ in 0..<polls {
        if try condition() { return }
        usleep(pause)
        pause = min(pause + pause / 10, 100_000)
    }
    throw SupportError("waited in vain: \(what)")
}
