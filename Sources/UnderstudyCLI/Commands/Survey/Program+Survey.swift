import Understudy
import UnderstudyPlatform

/// `--dry-run`.
extension Program {
    /// - Parameter find: Surveys the directory over a connection.
    func survey(
        _ directory: String, _ connection: ConnectionRequest, _ console: Console,
        find:
            @escaping @Sendable (
                ConnectionString, _ report: @escaping @Sendable (BaseBackup.SurveyedPath) -> Void
            ) async throws(UnderstudyError) -> BaseBackup.Survey
    ) async -> Int32 {
        let failed = { @Sendable (error: UnderstudyError) in
            console.object(ProgressJSON.failed(error, last: nil))
        }
        let paths = Monitor(SurveyText.Paths())
        do throws(UnderstudyError) {
            let found = try await work(connection, console: console, remains: .archive(nil), abandoned: failed) {
                source throws(UnderstudyError) in
                try await find(source) { path in
                    paths.update { $0.note(path) }
                    if !console.writesObjects { console.output(SurveyText.line(path)) }
                }
            }
            if console.writesObjects {
                console.object(SurveyText.object(found, paths.read { $0 }, directory: directory))
            } else {
                console.output(SurveyText.text(found, paths.read { $0 }, directory: directory))
            }
            return ExitStatus.success
        } catch {
            console.error(error)
            failed(error)
            return ExitStatus.of(error.code)
        }
    }
}
