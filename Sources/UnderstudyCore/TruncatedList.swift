package import Logging
package import UnderstudyConnection
import UnderstudyPlatform

/// Messages of which there may be one per file: the first few are shown, the rest are counted.
package struct TruncatedList: Sendable, Equatable {
    package static let shown = 5

    /// The first messages, which are shown.
    package private(set) var first: [String] = []
    package private(set) var count = 0

    package init() {}

    package init(_ texts: some Sequence<String>) {
        for text in texts { note(text) }
    }

    /// - Parameter text: Evaluated only if it is shown.
    package mutating func note(_ text: @autoclosure () -> String) {
        count += 1
        if first.count < Self.shown { first.append(text()) }
    }

    /// The number of messages that are not shown.
    package var rest: Int { count - first.count }

    /// `a, b, c, d, e and 19995 more`
    package var list: String { first.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "") }

    /// One line per message that is shown, then one with the number of the rest, followed by `others`.
    package func lines(_ others: String) -> [String] { first + (rest > 0 ? ["\(rest) more \(others)"] : []) }
}

extension Logger {
    /// Logs the messages that a server sends, which may be a warning for each of its files. After the first few
    /// hundred, logs only their number now and then.
    ///
    /// Drops the notice that a name is too long (42622), which comes with each connection: names are checked
    /// separately, and reported once.
    package func passingOn() -> @Sendable (ServerMessage) -> Void {
        let count = Monitor(0)
        return { message in
            if message.sqlState == "42622" { return }
            let number = count.update { count in
                count += 1
                return count
            }
            if number <= Self.mostMessages {
                pass(on: message)
            } else if number == Self.mostMessages + 1 || number.isPowerOfTen {
                warning("server has sent \(number) messages by now, of which the first \(Self.mostMessages) are shown")
            }
        }
    }

    private static let mostMessages = 200
}

extension Int {
    fileprivate var isPowerOfTen: Bool {
        var rest = self
        while rest > 1, rest % 10 == 0 { rest /= 10 }
        return rest == 1
    }
}
