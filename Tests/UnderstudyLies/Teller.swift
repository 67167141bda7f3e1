import Glibc
import UnderstudyTestSupport

/// Tells one lie after the other in a place of its own.
final class Teller: Sendable {
    let place: Place
    private let options: Options
    private let server: ScriptedServer
    private let present = Locked<Telling?>(nil)
    /// Nobody is to connect here.
    private let stranger: ScriptedServer
    /// Nobody is to signal it.
    let bystander: Int32

    private let truths = Locked<[String: Copy]>([:])

    /// What is told now.
    private struct Telling: Sendable {
        var tale: Tale
        var server: PlayedServer
        var moment: Moment
        var counts: [String: Int] = [:]
        /// The logins that came while it was told.
        var logins: Set<Int> = []
    }

    static let password = "S3cretOfTheUser"

    init(_ options: Options, slot: Int, bystander: Int32) throws {
        self.options = options
        self.bystander = bystander
        place = Place("\(options.directory)/\(slot)")
        let present = present
        @Sendable func changed(_ key: String, _ answer: ScriptedServer.Answer) -> ScriptedServer.Answer {
            var answer = answer
            let lies = present.withLock { telling -> [WireLie] in
                guard let told = telling else { return [] }
                var found: [WireLie] = []
                for lie in told.tale.wire where key.hasPrefix(lie.command) {
                    let count = telling?.counts[lie.command, default: 0] ?? 0
                    telling?.counts[lie.command] = count + 1
                    if count == lie.occurrence { found.append(lie) }
                }
                return found
            }
            for lie in lies { lie.change(&answer) }
            return answer
        }
        server = try ScriptedServer(
            login: { login in
                // A client of the lie before, whose process has ended since.
                if login.hasLeft { throw SupportError("nobody waits for an answer") }
                let told = present.withLock { telling in
                    telling?.logins.insert(login.number)
                    return telling
                }
                guard let telling = told else { throw SupportError("nobody is to log in") }
                telling.moment.begin()
                return changed(login.isReplication ? "login" : "ordinary login", telling.tale.welcome(login))
            },
            script: { login, command in
                // What a client of the lie before asked last may be read only now.
                guard let telling = present.withLock({ $0 }), telling.logins.contains(login.number) else {
                    throw SupportError("nobody is to ask")
                }
                return changed(command, try telling.tale.answer(command, from: telling.server))
            })
        stranger = try ScriptedServer(startup: .init([]), script: { _ in .init([]) })
    }

    func lie(_ number: Int) -> Lie {
        Lie(
            seed: options.seed, number: number, place: place, canStart: options.binDirectory != nil,
            stranger: stranger.port, bystander: bystander)
    }

    func tell(_ lie: Lie) throws -> (run: Watched, complaints: [Complaint]) {
        stranger.forget()
        server.forget()
        let (run, before) = try start(lie)
        let verdict = Verdict(
            lie: lie, run: run, place: place, before: before, bystander: bystander,
            strangers: stranger.logins.count,
            statuses: server.statuses)
        var complaints = verdict.complaints()
        if lie.order.makesCopy, run.status == 0 {
            let copy = Copy(place, release: lie.release)
            complaints += verdict.complaints(copy, beside: try truth(lie))
        }
        return (run, complaints)
    }

    private func start(_ lie: Lie) throws -> (run: Watched, before: [Files.Look]) {
        place.clear()
        if lie.order.kind == .receive { Files.make(directory: place.wal) }
        let before = place.canary()
        present.withLock { $0 = Telling(tale: lie.tale, server: lie.tale.telling(), moment: lie.moment) }
        defer { present.withLock { $0 = nil } }
        var words = lie.order.line(port: server.port)
        if lie.order.kind == .start, let bin = options.binDirectory {
            words += ["--start", "--wait", "5s", "--bin-dir", bin]
        }
        let run = try Watched.run(
            options.program, as: lie.order.name, words,
            environment: [
                "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=\(place.home)", "PGPASSWORD=\(Self.password)",
                "PGSSLMODE=disable", "PGGSSENCMODE=disable", "SWIFT_BACKTRACE=enable=no",
            ], in: place.work, signal: lie.signal, moment: lie.moment,
            limit: lie.isTruth ? .seconds(30) : lie.order.loops ? .milliseconds(300) : .seconds(3))
        return (run, before)
    }

    /// What a run of the same kind makes of the truth.
    private func truth(_ lie: Lie) throws -> Copy {
        let kind = "\(lie.release) \(lie.order.copyKind)"
        if let known = truths.withLock({ $0[kind] }) { return known }
        let (run, _) = try start(lie.truth(place))
        guard run.status == 0 else {
            throw SupportError(
                "the truth is refused with \(run.status): \(String(decoding: run.errors, as: UTF8.self))")
        }
        let copy = Copy(place, release: lie.release)
        truths.withLock { $0[kind] = copy }
        return copy
    }
}
