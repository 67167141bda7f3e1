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

    private func resume(_ words: [String], _ moves: [Remedy.Step.Move] = []) -> ResumeCommand? {
        ResumeCommand(words, of: .clone, moves: moves)
    }

    @Test func `the command that goes on is the same with another option, and with what was found`() {
        let words = ["-Da b", "--delta", "--keep-part", "-vT", "/x=/y", "--slot", "s", "--force-clean", "--waldir=/w"]
        let line = "understudy clone -D 'a b' --verbose -T /x=/y -S s --waldir=/w"
        #expect(resume(words)?.text == "\(line) --resume")
        #expect(resume(words)?.lacksPassword == false)
        let moves = [Remedy.Step.Move(from: "/x", to: "/y"), .init(from: "/a=b", to: "/c d")]
        #expect(resume(words, moves)?.text == "\(line) -T '/a\\=b=/c d' --resume")
        #expect(resume(["--no-such-option"]) == nil)
        let shown = ResumeCommand(["-D", "d", "--progress=none"], of: .basebackup)?.text
        #expect(shown == "understudy basebackup -D d --progress=none --resume")
    }

    @Test(arguments: [
        (["-d", "host=h password=s3cr3t user=u"], ["-d 'user=u host=h'", "-d 'host=h user=u'"]),
        (
            ["--dbname", "postgresql://u:s3cr3t@h/?sslpassword=s3cr3t"],
            ["-d 'user=u host=h'", "-d 'host=h user=u'"]
        ),
        (["--set", "x=a password=s3cr3t", "-D", "d"], ["-D d"]),
    ])
    func `the command that goes on has no password, and that is said`(words: [String], lines: [String]) throws {
        let found = try #require(resume(words))
        #expect(found.lacksPassword)
        #expect(lines.map { "understudy clone \($0) --resume" }.contains(found.text), "\(found.text)")
    }

    @Test(arguments: ["host=h user=u", "postgresql://u@h/d", "host=h passfile=/password=x"])
    func `a connection string without a password stays as it is`(text: String) {
        #expect(resume(["-d", text])?.text == "understudy clone -d \(ShellText.pasted(text)) --resume")
    }
}
