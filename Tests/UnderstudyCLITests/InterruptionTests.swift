import Glibc
import Testing
import Understudy
import UnderstudyPlatform

@testable import UnderstudyCLI

@Suite("Signals and passwords")
struct InterruptionTests {
    private let recorder = Recorder()

    /// Ends when its task is cancelled, as the library does.
    @Sendable private static func waitForCancellation() async {
        let (stream, continuation) = AsyncStream<Never>.makeStream()
        for await _ in stream {}
        continuation.finish()
    }

    @Test("a signal cancels the work, waits for its clean-up, and is named in the error")
    func signal() async {
        let signals = SignalFeed()
        let error = await #expect(throws: UnderstudyError.self) {
            try await Interruption.watch(signals, console: recorder.console()) { () throws(UnderstudyError) -> Int in
                signals.send(.terminate)
                await Self.waitForCancellation()
                throw UnderstudyError(.cancelled, "the base backup was cancelled", hint: "Drop the slot.")
            }
        }
        #expect(error?.message == "interrupted by SIGTERM: the base backup was cancelled")
        #expect(error?.hint == "Drop the slot.")
        #expect(recorder.errors == "pg_basebackup: received SIGTERM, cleaning up\n")
    }

    @Test("a second signal only says that cleaning up goes on")
    func twice() async {
        let signals = SignalFeed()
        let recorder = recorder
        let (told, teller) = AsyncStream<Void>.makeStream()
        let console = Console(program: "understudy", verbose: false) { stream, text in
            recorder.write(stream, text)
            if text.contains("still") { teller.finish() }
        }
        await #expect(throws: UnderstudyError.self) {
            try await Interruption.watch(signals, console: console) { () throws(UnderstudyError) -> Int in
                signals.send(.interrupt)
                await Self.waitForCancellation()
                signals.send(.interrupt)
                // The clean-up is not cancelled: it is over when the second signal has been answered.
                await Task { for await _ in told {} }.value
                throw UnderstudyError(.cancelled, "cancelled")
            }
        }
        #expect(
            recorder.errors == """
                understudy: received SIGINT, cleaning up
                understudy: received SIGINT, still cleaning up; one more ends it at once

                """)
    }

    @Test("the third signal, of whatever kind, ends the process with what it leaves")
    func thrice() async {
        let signals = SignalFeed()
        let (ended, ending) = AsyncStream<EndingSignal>.makeStream()
        await #expect(throws: UnderstudyError.self) {
            try await Interruption.watch(
                signals, console: recorder.console(), endAtOnce: { ending.yield($0) }
            ) { () throws(UnderstudyError) -> Int in
                for signal in [EndingSignal.interrupt, .hangUp, .terminate] { signals.send(signal) }
                // As deaf as a library that computes.
                let signal = await Task { await ended.first { _ in true } }.value
                #expect(signal == .terminate)
                throw UnderstudyError(.cancelled, "cancelled")
            }
        }
    }

    @Test("work that finishes what it received says so with -v only, and succeeds", arguments: [false, true])
    func finishing(verbose: Bool) async throws {
        let signals = SignalFeed()
        let recorder = recorder
        let (told, teller) = AsyncStream<Void>.makeStream()
        let console = Console(program: "pg_receivewal", verbose: verbose) { stream, text in
            recorder.write(stream, text)
            if text.contains("still") { teller.finish() }
        }
        let result = try await Interruption.watch(
            signals, console: console, ending: .finishing
        ) { () throws(UnderstudyError) in
            signals.send(.interrupt)
            await Self.waitForCancellation()
            signals.send(.terminate)
            await Task { for await _ in told {} }.value
            return 7
        }
        #expect(result == 7)
        #expect(
            recorder.errors == (verbose ? "pg_receivewal: received interrupt signal, exiting\n" : "")
                + "pg_receivewal: received SIGTERM, still finishing; one more ends it at once\n")
    }

    @Test("work that takes long to finish what it received says so unasked")
    func late() async throws {
        let signals = SignalFeed()
        let recorder = recorder
        let (told, teller) = AsyncStream<Void>.makeStream()
        let console = Console(program: "understudy", verbose: false) { stream, text in
            recorder.write(stream, text)
            teller.finish()
        }
        try await Interruption.watch(signals, console: console, ending: .finishing, reminder: .zero) {
            () throws(UnderstudyError) in
            signals.send(.terminate)
            // As deaf as a library that computes.
            await Task { for await _ in told {} }.value
        }
        #expect(recorder.errors == "understudy: received SIGTERM, still finishing; two more end it at once\n")
    }

    @Test("work that ends by itself has its own result, signal or not")
    func ownEnd() async throws {
        let signals = SignalFeed()
        let console = recorder.console()
        #expect(try await Interruption.watch(signals, console: console) { () throws(UnderstudyError) in 7 } == 7)
        let others = SignalFeed()
        let error = await #expect(throws: UnderstudyError.self) {
            try await Interruption.watch(others, console: console) { () throws(UnderstudyError) -> Int in
                others.send(.hangUp)
                await Self.waitForCancellation()
                throw UnderstudyError(.fileSystem, "could not remove \"d\"")
            }
        }
        #expect(error?.message == "could not remove \"d\"")
    }

    @Test(
        "a password is asked for when the policy says so, and once",
        arguments: [
            // Policy, what the user types, passwords that the attempts get, the last one's outcome.
            (PasswordPolicy.always, "a", ["a"], true),
            (.always, nil, [nil], false),
            (.onDemand, "a", [nil, "a"], true),
            (.onDemand, nil, [nil], false),
            (.never, "a", [nil], false),
        ] as [(PasswordPolicy, String?, [String?], Bool)])
    func passwords(policy: PasswordPolicy, typed: String?, expected: [String?], succeeds: Bool) async {
        var attempts: [String?] = []
        var outcome = Result<Int, UnderstudyError>.success(0)
        do throws(UnderstudyError) {
            _ = try await policy.run(
                ask: { () throws(UnderstudyError) in typed },
                attempt: { password throws(UnderstudyError) in
                    attempts.append(password)
                    if password == nil { throw UnderstudyError(.passwordNeeded, "no password supplied") }
                    return 1
                })
        } catch {
            outcome = .failure(error)
        }
        #expect(attempts == expected)
        #expect((try? outcome.get()) == (succeeds ? 0 : nil))
    }

    @Test("a wrong password is not asked for again")
    func wrongPassword() async {
        var attempts = 0
        let error = await #expect(throws: UnderstudyError.self) {
            try await PasswordPolicy.onDemand.run(
                ask: { () throws(UnderstudyError) in "wrong" },
                attempt: { password throws(UnderstudyError) -> Int in
                    attempts += 1
                    throw UnderstudyError(password == nil ? .passwordNeeded : .authentication, "no")
                })
        }
        #expect(error?.code == .authentication)
        #expect(attempts == 2)
    }

    @Test("no password is asked for where something else is wrong")
    func otherError() async {
        let error = await #expect(throws: UnderstudyError.self) {
            try await PasswordPolicy.onDemand.run(
                ask: { () throws(UnderstudyError) in
                    Issue.record("asked")
                    return nil
                },
                attempt: { _ throws(UnderstudyError) -> Int in throw UnderstudyError(.connection, "no route to host") })
        }
        #expect(error?.code == .connection)
    }

    @Test(
        "a password read from a pipe is its first line, and nothing behind it is taken",
        arguments: [
            ("geheim\nrest", "geheim"), ("geheim\r\n", "geheim"), ("geheim", "geheim"), ("\n", ""), ("", nil),
        ] as [(String, String?)])
    func pipe(input: String, password: String?) {
        var ends: [Int32] = [-1, -1]
        // Two entries, as pipe(2) wants.
        #expect(unsafe Glibc.pipe(&ends) == 0)
        StandardStreams.write(input, to: ends[1])
        close(ends[1])
        // A descriptor of -1 is one that poll leaves alone.
        #expect(PasswordPrompt.readLine(from: ends[0], until: Interrupt()) == password)
        if input.hasSuffix("rest") { #expect(PasswordPrompt.readLine(from: ends[0], until: Interrupt()) == "rest") }
        close(ends[0])
    }
}
