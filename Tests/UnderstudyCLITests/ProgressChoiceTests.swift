import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("The value of --progress")
struct ProgressChoiceTests {
    private func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

    private func basebackup(_ line: String) throws -> BasebackupPlan? {
        guard case .run(let plan) = try BasebackupPlan.read(words("-D d \(line)"), as: .understudy) else { return nil }
        return plan
    }

    @Test(
        "the long name of basebackup takes one, and the letter does not",
        arguments: [
            ("", .none), ("-P", .stock), ("-Pv", .stock), ("--progress", .stock), ("--progress=none", .none),
            ("--progress=auto", .chosen(.auto)), ("--prog=plain", .chosen(.plain)), ("--progress=json", .chosen(.json)),
            ("--progress=json -P", .stock), ("-P --progress=json", .chosen(.json)),
            ("--progress=none --no-estimate-size", .none),
        ] as [(String, BasebackupPlan.Progress)])
    func basebackup(line: String, progress: BasebackupPlan.Progress) throws {
        #expect(try basebackup(line)?.progress == progress)
    }

    @Test(
        "that of receivewal does so, too",
        arguments: [
            ("", .none), ("-Pv", .auto), ("--progress", .auto), ("--progress=none", .none), ("--progress=auto", .auto),
            ("--prog=plain", .plain), ("-P --progress=json", .json),
        ] as [(String, ProgressChoice)])
    func receivewal(line: String, progress: ProgressChoice) throws {
        guard case .run(let plan) = try ReceivewalPlan.read(words("-D d \(line)"), as: .understudy) else { return }
        #expect(plan.progress == progress)
    }

    @Test("files are named where the stock tool's lines name them")
    func namedFiles() throws {
        #expect(try basebackup("-v -P")?.options.namesFiles == true)
        #expect(try basebackup("-v --progress=json")?.options.namesFiles == false)
        #expect(try basebackup("-P")?.options.namesFiles == false)
    }
}
