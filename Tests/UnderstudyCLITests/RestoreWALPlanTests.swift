import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("A command line of restore-wal")
struct RestoreWALPlanTests {
    private func plan(_ words: String..., variable: String? = nil) throws -> RestoreWALPlan {
        let request = try RestoreWALPlan.read(words) { $0 == "UNDERSTUDY_ARCHIVE" ? variable : nil }
        guard case .run(let plan) = request else { throw UsageError("no plan") }
        return plan
    }

    private func refusal(_ words: String..., variable: String? = nil) -> String? {
        do throws(UsageError) {
            _ = try RestoreWALPlan.read(words) { $0 == "UNDERSTUDY_ARCHIVE" ? variable : nil }
            return nil
        } catch { return error.message }
    }

    @Test("names directories, in their order, or leaves that to the environment")
    func directories() throws {
        #expect(try plan("-D", "/a", "-D", "b", "f", "p").directories == ["/a", "b"])
        #expect(try plan("f", "p", variable: "/a::/b c").directories == ["/a", "/b c"])
        #expect(try plan("-D", "/c", "f", "p", variable: "/a:/b").directories == ["/c"])
        #expect(refusal("f", "p", variable: "")?.contains("no archive directory") == true)
        #expect(refusal("-D", "", "f", "p")?.contains("is empty") == true)
    }

    @Test("names a file, and where it is to be")
    func operands() throws {
        let found = try plan("-D", "/a", "000000010000000000000003", "pg_wal/RECOVERYXLOG")
        #expect(found.file == "000000010000000000000003" && found.path == "pg_wal/RECOVERYXLOG")
        for words in [["f"], [], ["f", "p", "q"], ["../f", "p"], [".f", "p"], ["", "p"], ["f", ""]] {
            #expect(throws: UsageError.self, "\(words)") {
                _ = try RestoreWALPlan.read(["-D", "/a"] + words) { _ in nil }
            }
        }
    }

    @Test("says what is to happen if the archive cannot tell; if not, the kind of recovery does")
    func doubt() throws {
        let without = try plan("-D", "/a", "f", "p")
        #expect(without.choice(in: .endsByItself) == (.seconds(30), true))
        #expect(without.choice(in: .standby) == (.seconds(1), false))
        #expect(without.choice(in: .none) == (.zero, true))
        #expect(without.choice(in: .ending) == (.seconds(5), false))
        let timed = try plan("-D", "/a", "--retry-time=2min", "f", "p")
        #expect(timed.choice(in: .endsByItself) == (.seconds(120), true))
        #expect(timed.choice(in: .standby) == (.seconds(120), false))
        #expect(try plan("-D", "/a", "--on-doubt=stop", "f", "p").choice(in: .standby) == (.seconds(1), true))
        let waiting = try plan("-D", "/a", "--on-doubt=wait", "f", "p").choice(in: .endsByItself)
        #expect(waiting.retryTime == nil)
        #expect(refusal("-D", "/a", "--on-doubt=go", "f", "p")?.contains("invalid value") == true)
        #expect(refusal("-D", "/a", "--prefetch=257", "f", "p")?.contains("range") == true)
    }

    @Test("that cannot be read stops a recovery, and does not end it")
    func misuse() async {
        let program = Program(
            calledAs: "understudy", users: .system, environment: { _ in nil }, write: { _, _ in },
            errorsAreTerminal: false)
        #expect(await program.run(["restore-wal", "000000010000000000000003", "x"]) == 200)
        #expect(await program.run(["restore-wal", "--no-such", "a", "b"]) == 200)
        #expect(await program.run(["restore-wal", "--help"]) == 0)
    }
}
