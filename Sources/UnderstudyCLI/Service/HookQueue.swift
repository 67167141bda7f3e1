/// The files that wait for the command of `--on-segment`, in order. Bounded: while it is full, those that come are skipped, so
/// that WAL never waits. Does no I/O.
struct HookQueue: Sendable {
    /// Files that follow each other, for which the command was not run.
    struct Skipped: Sendable, Equatable {
        var count: Int
        var first: String
        var last: String

        init(_ name: String) {
            (count, first, last) = (1, name, name)
        }

        init?(_ names: [String]) {
            guard let first = names.first, let last = names.last else { return nil }
            (count, self.first, self.last) = (names.count, first, last)
        }
    }

    /// The most files that wait.
    let limit: Int
    private(set) var waiting: [String] = []
    private(set) var skipped: Skipped?

    init(limit: Int) {
        self.limit = limit
    }

    enum Outcome: Equatable {
        /// It waits; with those that were skipped before it.
        case queued(after: Skipped?)
        /// The first one that is skipped.
        case full
        /// A further one.
        case stillFull
    }

    mutating func append(_ name: String) -> Outcome {
        guard waiting.count >= limit else {
            waiting.append(name)
            defer { skipped = nil }
            return .queued(after: skipped)
        }
        return skip(name)
    }

    /// Notes a file for which the command is not run, whether there is room or not.
    ///
    /// - Returns: `full` for the first one.
    mutating func skip(_ name: String) -> Outcome {
        guard var skipped else {
            skipped = Skipped(name)
            return .full
        }
        skipped.count += 1
        skipped.last = name
        self.skipped = skipped
        return .stillFull
    }

    mutating func next() -> String? {
        waiting.isEmpty ? nil : waiting.removeFirst()
    }

    /// All that the command is not run for any more: what waits, and what was skipped behind it.
    mutating func takeRest() -> [Skipped] {
        defer { (waiting, skipped) = ([], nil) }
        return [Skipped(waiting), skipped].compactMap { $0 }
    }
}
