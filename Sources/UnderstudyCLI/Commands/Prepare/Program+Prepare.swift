import Understudy
import UnderstudyPlatform

extension Program {
    func prepare(_ words: [String]) async -> Int32 {
        let request = { () throws(UsageError) in try PreparePlan.read(words) }
        return await run(.prepare, words, as: .understudy, request) { await prepare($0) }
    }

    private func prepare(_ plan: PreparePlan) async -> Int32 {
        let console = console(.understudy, verbose: plan.verbose)
        do throws(UnderstudyError) {
            let given = try rolePassword(plan)
            try await work(plan.connection, console: console, remains: .preparation, abandoned: { _ in }) {
                source throws(UnderstudyError) in
                var preparation = PrimaryPreparation(
                    source: source, options: plan.options, password: given, logger: console.logger)
                let found = try await preparation.plan()
                for note in found.notes { console.warning(note) }
                if plan.isDryRun {
                    console.output(PrepareText.dryRun(found))
                    return
                }
                if found.needsPassword { preparation.password = try await askForPassword(plan, console) }
                let result = try await preparation.run {
                    console.output(PrepareText.done($0, isDetailed: plan.verbose))
                }
                console.output(PrepareText.result(result))
            }
            return ExitStatus.success
        } catch {
            console.error(error)
            return ExitStatus.of(error.code)
        }
    }

    /// The password of the file or the environment; nil if there is none.
    private func rolePassword(_ plan: PreparePlan) throws(UnderstudyError) -> String? {
        guard let path = plan.passwordFile else {
            return environment(PreparePlan.passwordVariable).flatMap { $0.isEmpty ? nil : $0 }
        }
        let bytes: [UInt8]?
        do throws(FileIOError) { bytes = try bytesOfRegularFile(path, atMost: 1 << 16) } catch {
            throw UnderstudyError(.options, error.description, hint: "Name a file whose first line is the password.")
        }
        guard let bytes else {
            throw UnderstudyError(
                .options, "file \"\(path)\" does not exist", hint: "Name a file whose first line is the password.")
        }
        var line = bytes.prefix { $0 != UInt8(ascii: "\n") }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard let text = String(validating: line, as: UTF8.self), !text.isEmpty else {
            throw UnderstudyError(
                .options, "the first line of file \"\(path)\" is no password",
                hint: "Write the password there, in UTF-8.")
        }
        return text
    }

    private func askForPassword(_ plan: PreparePlan, _ console: Console) async throws(UnderstudyError) -> String {
        output?.drain()
        let password =
            plan.connection.password == .never
            ? nil : try await PasswordPrompt.askNew(role: plan.options.role)
        guard let password else {
            throw UnderstudyError(
                .options, "role \"\(plan.options.role)\" has no password, and none is given",
                detail: "Nothing was changed.",
                hint:
                    "Put it into a file and name that with --role-password-file, or into $\(PreparePlan.passwordVariable)."
            )
        }
        return password
    }
}
