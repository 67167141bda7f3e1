import UnderstudyConnection
import UnderstudyPlatform

/// Whether ordinary connections may be opened beside replication connections: not again after a refusal, which is a line
/// in the server's log each time.
package final class QueryAccess: Sendable {
    /// Why there is no such connection; nil while one may be opened.
    private let refusal: Monitor<ConnectionError?>

    package init(isAllowed: Bool = true) {
        refusal = Monitor(isAllowed ? nil : ConnectionError(.refused, "no ordinary connection is to be opened"))
    }

    package var mayAsk: Bool { refusal.read { $0 == nil } }

    /// Throws the first refusal again.
    func check() throws(ConnectionError) {
        if let error = refusal.read({ $0 }) { throw error }
    }

    func note(_ error: ConnectionError) { refusal.change { $0 = $0 ?? error } }
}
