/// How far an archiver lagged over the last hour: a sample now and then, in bounded memory.
struct LagHistory: Sendable {
    struct Sample: Sendable, Equatable {
        var at: ContinuousClock.Instant
        /// Bytes; nil while there was no connection that told.
        var lag: UInt64?
    }

    static let span = Duration.seconds(3600)
    static let interval = Duration.seconds(10)

    /// Oldest first.
    private(set) var samples: [Sample] = []

    mutating func add(_ sample: Sample) {
        samples.append(sample)
        // One more than fits, so that the plot reaches its edge. Removing in portions moves the rest seldom.
        let most = Int(Self.span / Self.interval) + 1
        if samples.count > most + most / 8 { samples.removeFirst(samples.count - most) }
    }

    /// The samples of the span that ends now, in runs with a connection and without; an interruption of the samples
    /// themselves, as by a machine that slept, ends a run, too.
    func runs(until now: ContinuousClock.Instant) -> [[Sample]] {
        var runs: [[Sample]] = []
        for sample in samples where now - sample.at <= Self.span {
            if let last = runs.last?.last, (last.lag == nil) == (sample.lag == nil),
                sample.at - last.at < Self.interval * 3
            {
                runs[runs.count - 1].append(sample)
            } else {
                runs.append([sample])
            }
        }
        return runs
    }
}
