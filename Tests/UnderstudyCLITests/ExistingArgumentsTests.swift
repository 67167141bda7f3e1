import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("The options about what is there already")
struct ExistingArgumentsTests {
    private func plan(_ line: String) throws -> BaseBackup.Options {
        let words = line.split(separator: " ").map(String.init)
        guard case .run(let plan) = try BasebackupPlan.read(["-D", "d"] + words, as: .understudy) else {
            throw UsageError("not a backup")
        }
        return plan.options
    }

    @Test func `updates come over several connections, whose number may be chosen`() throws {
        #expect(try plan("").existing == .refused)
        #expect(try plan("--delta").existing == .updated && plan("--delta").connections == .automatic)
        #expect(try plan("--resume -j 2").existing == .resumed && plan("--resume -j 2").connections == .parallel(2))
        #expect(try plan("--keep-partial").keepPartial && plan("--keep-partial").connections == .one)
        #expect(try plan("--delta --force-other-cluster").overwritesOtherCluster)
    }

    @Test(arguments: [
        "--delta --resume", "--dry-run", "--force-other-cluster", "--delta --force-clean", "--delta -X fetch",
        "--resume -F t", "--keep-partial -F t", "--keep-partial -n", "--delta --incremental m",
    ])
    func `what does not go together is refused`(line: String) {
        #expect(throws: UsageError.self) { _ = try plan(line) }
    }

    @Test func `a link that stands for the stock tool does not know them`() {
        #expect(throws: UsageError.self) { _ = try BasebackupPlan.read(["-D", "d", "--delta"], as: .baseBackup) }
    }

    @Test func `the command that goes on is the same with another option, and no password is shown`() {
        let words = ["clone", "-D", "a b", "--delta", "--keep-part", "-T", "/x=/y"]
        #expect(ResumeCommand.text(words) == "understudy clone -D 'a b' -T /x=/y --resume")
        #expect(ResumeCommand.text(["clone", "-d", "host=h password=x"]) == nil)
        #expect(ResumeCommand.text(["clone", "-d", "postgresql://u:p@h"]) == nil)
    }
}
