import Subprocess
import UnderstudyBackup
import UnderstudyPlatform

#if canImport(System)
    import System
#else
    import SystemPackage
    import UnderstudyCore
#endif

/// One run of a program that belongs to a server: pg_ctl, psql.
struct ServerProgramRun: Sendable {
    var program: String
    var arguments: [String]
    /// Where it runs; nil for where this process does.
    var directory: String?
    /// Whom it runs as; nil for this process's user.
    var owner: BaseBackup.Owner?
    /// All that it finds in its environment.
    var environment: ServerEnvironment

    /// Runs the program to its end: cancelling the task does not kill it, for half a start helps nobody.
    ///
    /// - Returns: Its exit status, -1 where a signal ended it, and what it said.
    func result() async -> Result<(Int32, String), UnderstudyError> {
        await Task { await runToEnd() }.value
    }

    /// Runs a program that only asks: it is killed after so long, and when the task is cancelled.
    func result(within limit: Duration) async -> Result<(Int32, String), UnderstudyError> {
        let work = Task { await runToEnd() }
        let timer = Task {
            // It throws where the program was over before.
            if (try? await Task.sleep(for: limit)) != nil { work.cancel() }
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            work.cancel()
        }
    }

    private func runToEnd() async -> Result<(Int32, String), UnderstudyError> {
        var options = PlatformOptions()
        // A group of its own: what the user types at the terminal must not end a start half-way.
        options.processGroupID = 0
        if let owner {
            options.userID = owner.user
            options.groupID = owner.group
            options.supplementaryGroups = groups(ofUser: owner.user, group: owner.group)
        }
        var variables: [Environment.Key: String] = [:]
        for (name, value) in environment.variables { variables[Environment.Key(stringLiteral: name)] = value }
        do {
            let result = try await Subprocess.run(
                .path(FilePath(program)), arguments: Arguments(arguments), environment: .custom(variables),
                workingDirectory: directory.map { FilePath($0) }, platformOptions: options,
                output: .string(limit: 1 << 16), error: .combinedWithOutput)
            guard case .exited(let status) = result.terminationStatus else {
                return .success((-1, result.standardOutput))
            }
            return .success((status, result.standardOutput))
        } catch {
            return .failure(UnderstudyError(.start, "could not run \"\(program)\": \(error)"))
        }
    }
}
