import UnderstudyStreaming
import UnderstudyWAL

/// Some calls that an archiver makes, and what has to come of them.
struct Scenario: Sendable {
    var name: String
    var run: @Sendable (Trial) throws -> Void

    init(_ name: String, run: @escaping @Sendable (Trial) throws -> Void) {
        self.name = name
        self.run = run
    }

    static let all = segments + connections + timelines

    // MARK: - Segments

    private static let segments = [
        Scenario("a new store") { trial in
            let holdings = try trial.open(next: nil)
            trial.expect(
                holdings.end == nil && holdings.tail.isEmpty && holdings.divergence == nil && holdings.gaps.isEmpty,
                .startsEmpty, "open returned \(holdings)")
            try trial.sync()
            try trial.restart()
            try trial.open(next: nil)
        },
        Scenario("segments with syncs in between") { trial in
            try trial.open(next: nil)
            for number: UInt64 in 3...5 {
                let segment = trial.segment(number)
                try trial.begin(segment)
                try trial.sync()
                for end in [1, 8192, 8193, 300_000, segment.size] {
                    try trial.write(upTo: end, beforeSync: end != 8193)
                    try trial.sync()
                }
                try trial.finish()
                try trial.sync()
                try trial.sync()
            }
            let answer = try trial.sync()
            trial.expect(
                answer.map { $0 >= trial.segment(3).end } ?? false, .acknowledgementAdvances,
                "three segments are finished, and sync returned \(answer.map { "\($0)" } ?? "nil")")
            try trial.restart()
            try trial.open(next: trial.start(6))
        },
        Scenario("segments without a sync, across 4 GB") { trial in
            let group = (1 << 32) / trial.sample.size.bytes
            try trial.open(next: nil)
            for number in group - 2...group { try trial.store(trial.segment(number)) }
            try trial.restart()
            try trial.open(next: trial.start(group + 1))
        },
        Scenario("bytes that come twice") { trial in
            let segment = trial.segment(3)
            try trial.open(next: nil)
            try trial.begin(segment)
            try trial.write(upTo: 200_000)
            try trial.write(upTo: 200_000, from: 0)
            try trial.write(upTo: 300_000)
            try trial.write(upTo: segment.size, from: 200_000)
            try trial.sync()
            try trial.finish()
            try trial.restart()
            try trial.open(next: trial.start(4))
        },
        Scenario("a store that is full now and then") { trial in
            try trial.open(next: nil)
            trial.isTight = true
            for number: UInt64 in 3...4 {
                let segment = trial.segment(number)
                try trial.begin(segment)
                for end in [100_000, segment.size] {
                    try trial.write(upTo: end)
                    try trial.sync()
                }
                try trial.finish()
                try trial.sync()
            }
            try trial.begin(trial.segment(5))
            try trial.write(upTo: 300_000)
            try trial.suspend()
            try trial.putHistory(2, SampleWAL.history([1: LSN(rawValue: 0x350000)]))
            trial.close()
            trial.kill()
            trial.isTight = false
            try trial.open(next: trial.start(5))
        },
    ]
}

extension Trial {
    func segment(_ number: UInt64, timeline: TimelineID = 1) -> WALSegment {
        sample.segment(number, timeline: timeline)
    }

    func start(_ number: UInt64, timeline: TimelineID = 1) -> WALPosition {
        WALPosition(timeline: timeline, lsn: segment(number).start)
    }
}
