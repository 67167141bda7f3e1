import Glibc
import Subprocess
import UnderstudyBackup
import UnderstudyPlatform

#if canImport(System)
import System
#else
import SystemPackage
import UnderstudyCore
#endif

/// One run of a program of the server: pg_ctl or psql.
struct ServerProgramRun: Sendable {
    var program: String
    var arguments: [String]
    /// The working directory; nil for that of this process.
    var directory: String?
    /// The user that it runs as; nil for this process's user.
    var owner: BaseBackup.Owner?
    /// Its complete environment.
    var environment: ServerEnvironment

    /// Runs the program to its end. Cancelling the task does not kill it: half a start helps nobody.
    ///
    /// - Returns: Its exit status, -1 if a signal ended it, and its output.
    func result() async -> Result<(Int32, String), UnderstudyError> {
        await Task { await runToEnd() }.value
    }

    /// Runs a program that only queries: it is killed after `limit`, or when the task is cancelled.
    func result(within limit: Duration) async -> Result<(Int32, String), UnderstudyError> {
        let work = Task { await runToEnd() }
        let timer = Task {
            // Throws if the program ended first.
            if (try? await Task.sleep(for: limit)) != nil { work.cancel() }
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            work.cancel()
        }
    }

    /// setpriv(1) of util-linux, which changes the user and then becomes the program; nil where there is none.
    ///
    /// Subprocess changes it between clone3(2) and the program, where glibc's setgroups(3) still takes the threads of this
    /// process for its own, and waits forever for one that was being made just then.
    private static let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].first { (path: String) -> Bool in
        unsafe access(path, X_OK) == 0
    }

    private func runToEnd() async -> Result<(Int32, String), UnderstudyError> {
        var options = PlatformOptions()
        // A separate process group: keys typed at the terminal must not end a start half-way.
        options.processGroupID = 0
        var program = program, arguments = arguments
        if let owner, owner.user != geteuid() {
            let groups = groups(ofUser: owner.user, group: owner.group)
            if let setpriv = Self.setpriv {
                let list = groups.map(String.init).joined(separator: ",")
                arguments =
                    ["--reuid=\(owner.user)", "--regid=\(owner.group)", "--groups=\(list)", "--", program] + arguments
                program = setpriv
            } else {
                options.userID = owner.user
                options.groupID = owner.group
                options.supplementaryGroups = groups
            }
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
            return .failure(UnderstudyError(.start, "could not run \"\(program)\": \(error)", cause: error))
        }
    }
}
