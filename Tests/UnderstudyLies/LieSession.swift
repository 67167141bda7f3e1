import Foundation
import Glibc
import UnderstudyTestSupport

/// All lies of a call, in several places at a time.
final class LieSession: Sendable {
    private let options: Options
    private let tellers: [Teller]
    private let state: Locked<State>

    private struct State {
        var next: Int
        var told = 0
        var refused = 0
        var signalled = 0
        var peak = (kB: 0, lie: 0)
        var late = 0
        var slowest = (time: Duration.zero, lie: 0)
        var complaints: [String: Int] = [:]
        var troubles: [String] = []
    }

    /// So many examples of one kind are shown.
    private static let examples = 3

    init(_ options: Options) throws {
        self.options = options
        let bystander = try Bystander.start()
        let count = options.only == nil ? options.slots : 1
        tellers = try (0..<count).map { try Teller(options, slot: $0, bystander: bystander) }
        state = Locked(State(next: options.only ?? options.first))
    }

    /// Whether anything was wrong.
    func run() throws -> Bool {
        let begin = ContinuousClock.now
        let last = options.only ?? options.first + options.count - 1
        let group = DispatchGroup()
        for teller in tellers {
            group.enter()
            Thread.detachNewThread { [self] in
                while let number = take(upTo: last) { tell(number, by: teller) }
                group.leave()
            }
        }
        group.wait()
        kill(tellers[0].bystander, SIGKILL)
        let end = state.withLock { $0 }
        for trouble in end.troubles { print("lies: could not be told: \(trouble)") }
        for (kind, count) in end.complaints.sorted(by: { $0.value > $1.value }) {
            print("lies: \(count) times: \(kind)")
        }
        var own = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &own)
        // The kernel counts what the liar holds as its children's.
        if own.ru_maxrss > Verdict.mostMemory {
            print("lies: the liar itself took \(own.ru_maxrss) kB, so what a child took cannot be told below that")
        }
        print(
            """
            lies: \(end.told) told in \((ContinuousClock.now - begin).components.seconds) s: \(end.refused) refused, \
            \(end.told - end.refused) without effect, \(end.signalled) signalled, \(end.late) \
            of them for taking long; at most \(end.peak.kB) kB (lie \
            \(end.peak.lie)) with \(own.ru_maxrss) kB of the liar, \(end.slowest.time) from signal to end (lie \(end.slowest.lie)); seed \(options.seed)
            """)
        return !end.complaints.isEmpty || !end.troubles.isEmpty
    }

    private func take(upTo last: Int) -> Int? {
        state.withLock { state in
            guard state.next <= last else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    private func tell(_ number: Int, by teller: Teller) {
        let lie = teller.lie(number)
        do {
            let (run, complaints) = try teller.tell(lie)
            let shown = state.withLock { state -> [Complaint] in
                state.told += 1
                if run.status != 0 { state.refused += 1 }
                if let obeyed = run.obeyed {
                    state.signalled += 1
                    if !lie.moment.hasCome { state.late += 1 }
                    if obeyed > state.slowest.time { state.slowest = (obeyed, number) }
                }
                if run.peak > state.peak.kB { state.peak = (run.peak, number) }
                return complaints.filter {
                    state.complaints[$0.kind, default: 0] += 1
                    return state.complaints[$0.kind]! <= Self.examples
                }
            }
            if !shown.isEmpty || options.isVerbose || options.only != nil { show(lie, run, shown, teller) }
        } catch {
            state.withLock { $0.troubles.append("lie \(number): \(error)") }
        }
    }

    private func show(_ lie: Lie, _ run: Watched, _ complaints: [Complaint], _ teller: Teller) {
        var text = "lies: lie \(lie.number), a server of \(lie.release.rawValue)"
        text += lie.isTruth ? " that tells the truth\n" : ":\n"
        for part in lie.says { text += "    \(printable(part))\n" }
        text += "  \(lie.order.name) \(lie.order.words.joined(separator: " "))\n"
        text += "  exit status \(run.status) after \(run.time), \(run.peak) kB"
        if let obeyed = run.obeyed { text += ", \(obeyed) after signal \(lie.signal)" }
        text += "\n"
        for complaint in complaints { text += "  WRONG: \(complaint.kind) \(printable(complaint.what))\n" }
        if !complaints.isEmpty || options.only != nil {
            for line in printable(run.output.suffix(2000)).split(separator: "\n") { text += "  out| \(line)\n" }
            for line in printable(run.errors.suffix(3000)).split(separator: "\n") { text += "  err| \(line)\n" }
            text += "  repeat it with: scripts/lies --seed \(options.seed) --only \(lie.number)\n"
        }
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    private func printable(_ text: String) -> String { printable(Array(text.utf8)) }

    private func printable(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: bytes.prefix(5000), as: UTF8.self).unicodeScalars.map { scalar in
            scalar == "\n" || (scalar.value >= 32 && !(127..<160).contains(scalar.value))
                ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
        }.joined()
    }
}
