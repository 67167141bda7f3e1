import UnderstudyPlatform
import UnderstudyWAL

// How jobs are done, on the network thread or on one of the pool's.

extension WALWriter {
    // MARK: - On either thread

    /// Performs the jobs in order, and then puts `sequence` back. If a job fails for lack of room, it and the rest are
    /// put back at the front of the queue.
    ///
    /// - Returns: Whether the network thread must read the report now.
    func perform(_ jobs: [WriteSequence.Job], _ sequence: inout WriteSequence) -> Bool {
        var mustRead = false
        for (index, job) in jobs.enumerated() {
            do throws(WALDestinationError) {
                let isLast = index == jobs.count - 1
                let outcome = try sequence.perform(job, isBeforeSync: !isLast && jobs[index + 1].isSync)
                if case .write(let piece) = job { blocks.give(back: piece.block) }
                let mustBeRead = state.change { [sequence] state in
                    state.busySince = isLast && state.jobs.isEmpty ? nil : .now
                    if isLast { putBack(sequence, &state) }
                    return state.report.note(outcome)
                }
                mustRead = mustRead || mustBeRead
            } catch {
                state.update { [sequence] state in
                    // It has answered.
                    state.busySince = error.isTemporary ? .now : nil
                    if error.isTemporary {
                        state.report.stall = error
                        state.jobs.insert(contentsOf: jobs[index...], at: 0)
                        putBack(sequence, &state)
                    } else {
                        state.report.failure = state.report.failure ?? error
                    }
                }
                return true
            }
        }
        return mustRead
    }

    /// Puts the sequence back after use: whoever has it is the only one who calls the destination.
    private func putBack(_ sequence: WriteSequence, _ state: inout State) {
        precondition(state.sequence == nil, "two threads have used a destination at a time")
        state.sequence = sequence
        scheduleIfDue(&state)
    }

    // MARK: - On a thread of the pool

    private enum Step {
        case perform(WriteSequence.Job, WriteSequence)
        /// All is done.
        case end(WriteSequence)
        /// The writer was closed while there was no room.
        case giveUp(WALDestinationError)
    }

    package func runSlice() -> Bool {
        for _ in 0..<Self.jobsInSlice {
            guard let step = nextStep() else { return false }
            switch step {
            case .perform(let job, let next):
                var sequence = next
                if perform([job], &sequence) { progress.raise() }
            case .end(let sequence): end(sequence)
            case .giveUp(let stall): fail(stall)
            }
            state.change { state in
                state.isRunning = false
                guard state.report.stall != nil, !state.isPausing, !state.hasEnded else { return }
                // The next attempt comes later, or never, if the writer is closed.
                state.isPausing = true
                tryLater()
            }
        }
        return isStillDue()
    }

    /// Whether there is more to do; if not, the next one who has something schedules it.
    private func isStillDue() -> Bool {
        state.update { state in
            state.isScheduled = state.isDue
            return state.isScheduled
        }
    }

    /// What to do next; nil if there is nothing, and the writer is to be scheduled again.
    private func nextStep() -> Step? {
        state.update { state in
            precondition(!state.isRunning, "two threads do the jobs of one writer")
            guard state.isDue, let sequence = state.sequence.take() else {
                state.isScheduled = false
                return nil
            }
            state.isRunning = true
            if state.isPausing, let stall = state.report.stall {
                state.sequence = sequence
                return .giveUp(stall)
            }
            while let job = state.jobs.first {
                state.jobs.removeFirst()
                if case .sync = job, Self.isSyncedLater(state.jobs) { continue }
                return .perform(job, sequence)
            }
            state.busySince = state.busySince ?? .now
            return .end(sequence)
        }
    }

    private func end(_ sequence: WriteSequence) {
        do throws(WALDestinationError) {
            try destination.suspend()
            state.change { $0.report.finished += sequence.finished }
            progress.raise()
        } catch { fail(error) }
        state.change { state in
            state.hasEnded = true
            state.busySince = nil
        }
    }

    private func fail(_ error: WALDestinationError) {
        state.change { $0.report.failure = $0.report.failure ?? error }
        progress.raise()
    }

    /// Whether a later sync covers this one. A sync after the end of the timeline does not: it reports nothing about
    /// this timeline any more.
    private static func isSyncedLater(_ rest: [WriteSequence.Job]) -> Bool {
        for job in rest {
            switch job {
            case .sync: return true
            case .suspend: return false
            case .write, .history: continue
            }
        }
        return false
    }
}
