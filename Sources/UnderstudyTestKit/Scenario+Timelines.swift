import UnderstudyStreaming
import UnderstudyWAL

extension Scenario {
    static let timelines = [
        Scenario("histories") { trial in
            let old = SampleWAL.history([1: LSN(rawValue: 0x350000)])
            let new = SampleWAL.history([1: LSN(rawValue: 0x360000)])
            try trial.open(next: nil)
            try trial.putHistory(2, old)
            try trial.putHistory(3, old)
            try trial.putHistory(2, old)
            try trial.begin(trial.segment(3))
            try trial.write(upTo: 100_000)
            try trial.putHistory(2, new)
            try trial.write(upTo: trial.segment(3).size)
            try trial.finish()
            try trial.restart()
            try trial.open(next: trial.start(4))
        },
        Scenario("a timeline ends within a segment") { trial in
            let fork = LSN(rawValue: trial.segment(3).start.rawValue + 0x50000)
            let origin = trial.sample.origin(timeline: 2, forks: [1: fork])
            try trial.open(next: nil)
            try trial.begin(trial.segment(3))
            try trial.write(upTo: 0x50000)
            try trial.sync()
            try trial.suspend()
            try trial.putHistory(2, SampleWAL.history([1: fork]))
            try trial.begin(trial.segment(3, timeline: 2))
            try trial.write(upTo: 400_000)
            try trial.sync()
            try trial.restart()
            try trial.open(origin, next: trial.start(3, timeline: 2))
            try trial.store(trial.segment(3, timeline: 2))
            try trial.store(trial.segment(4, timeline: 2))
            try trial.restart()
            try trial.open(origin, next: trial.start(5, timeline: 2))
        },
        Scenario("the server's history leaves that of the WAL held") { trial in
            let fork = LSN(rawValue: trial.segment(4).start.rawValue + 0x50000)
            let origin = trial.sample.origin(timeline: 2, forks: [1: fork])
            try trial.open(next: nil)
            for number: UInt64 in 3...5 { try trial.store(trial.segment(number)) }
            try trial.restart()
            // The segment of the fork comes again, on either timeline.
            trial.letGo(trial.segment(4))
            trial.letGo(trial.segment(5))
            let holdings = try trial.openAnywhere(origin)
            trial.expect(
                holdings.divergence?.fork == WALPosition(timeline: 1, lsn: fork), .setsAsideAfterFork,
                "open returned the divergence \(holdings.divergence.map { "\($0)" } ?? "nil")")
            trial.expect(
                holdings.next?.lsn == trial.segment(4).start, .setsAsideAfterFork,
                "next is not the start of the segment with the fork")
            try trial.expectSetAside(trial.segment(4), from: 0x50000)
            try trial.expectSetAside(trial.segment(5), from: 0)
            try trial.begin(trial.segment(4))
            try trial.write(upTo: 0x50000)
            try trial.suspend()
            try trial.putHistory(2, SampleWAL.history([1: fork]))
            for number: UInt64 in 4...5 { try trial.store(trial.segment(number, timeline: 2)) }
            try trial.restart()
            try trial.openAnywhere(origin)
        },
    ]
}
