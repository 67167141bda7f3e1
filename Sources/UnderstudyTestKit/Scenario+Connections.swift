import UnderstudyStreaming
import UnderstudyWAL

extension Scenario {
    static let connections =
        [
            Scenario("a segment is left unfinished") { trial in
                try trial.open(next: nil)
                try trial.store(trial.segment(3))
                try trial.begin(trial.segment(4))
                try trial.write(upTo: 400_000)
                try trial.restart()
                try trial.open(next: trial.start(4))
                try trial.store(trial.segment(4))
                try trial.restart()
                try trial.open(next: trial.start(5))
            },
            Scenario("one connection after the other") { trial in
                for number: UInt64 in 3...5 {
                    try trial.open(next: number == 3 ? nil : trial.start(number))
                    // Nothing has come over this connection yet.
                    try trial.sync()
                    try trial.store(trial.segment(number))
                    try trial.suspend()
                    trial.close()
                }
            },
            Scenario("a kill after a sync") { trial in
                try trial.open(next: nil)
                try trial.store(trial.segment(3))
                try trial.begin(trial.segment(4))
                try trial.write(upTo: 300_000)
                let answer = try trial.sync() ?? .invalid
                try trial.write(upTo: 400_000)
                trial.kill()
                // It may have to begin earlier where less was acknowledged.
                if answer < trial.segment(4).start {
                    try trial.openAnywhere()
                } else {
                    try trial.open(next: trial.start(4))
                }
            },
            Scenario("a finished segment is written again") { trial in
                try trial.open(next: nil)
                try trial.store(trial.segment(3))
                try trial.sync()
                try trial.restart()
                try trial.open(next: trial.start(4))
                try trial.begin(trial.segment(3))
                try trial.write(upTo: 100_000)
                try trial.sync()
                try trial.restart()
                try trial.openAnywhere()
                try trial.store(trial.segment(3))
                try trial.restart()
                try trial.open(next: trial.start(4))
            },
            Scenario("another cluster") { trial in
                try trial.open(next: nil)
                try trial.store(trial.segment(3))
                try trial.restart()
                var origin = trial.sample.origin()
                origin.systemIdentifier = "7380000000000000002"
                do {
                    try trial.openAnywhere(origin)
                    trial.record(.refusesOtherClusters, "open did not throw")
                } catch let error as WALDestinationError {
                    trial.expect(!error.isTemporary, .refusesOtherClusters, "the error is temporary: \(error)")
                }
                trial.close()
                trial.kill()
                try trial.open(next: trial.start(4))
            },
            Scenario("a gap") { trial in
                try trial.open(next: nil)
                try trial.store(trial.segment(3))
                try trial.suspend()
                trial.close()
                try trial.open(next: trial.start(4))
                let gap = WALGap(start: trial.start(4), end: trial.start(6))
                try trial.noteGap(gap)
                try trial.store(trial.segment(6))
                try trial.restart()
                let holdings = try trial.openAnywhere()
                guard !holdings.gaps.isEmpty else { return }
                trial.expect(holdings.gaps == [gap], .keepsGaps, "open listed \(holdings.gaps), noted was \(gap)")
                trial.expect(holdings.next == trial.start(7), .keepsGaps, "the stream does not continue after the gap")
            },
        ]
        + [1, 400_000, 700_000].map { again in
            Scenario("a segment is written again, up to byte \(again)") { trial in
                for (next, end) in [(nil, 400_000), (trial.start(3), again)] {
                    try trial.open(next: next)
                    try trial.begin(trial.segment(3))
                    try trial.write(upTo: end)
                    try trial.sync()
                    try trial.restart()
                }
                try trial.open(next: trial.start(3))
                try trial.store(trial.segment(3))
                try trial.restart()
                try trial.open(next: trial.start(4))
            }
        }
}
