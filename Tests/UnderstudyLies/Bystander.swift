import Glibc
import UnderstudyTestSupport

/// A process that is none of the program's business, whatever a file says.
enum Bystander {
    static func start() throws -> Int32 {
        var child: pid_t = 0
        // SAFETY: the arrays of C strings end with nil and live through the call.
        var argv = unsafe [strdup("sleep"), strdup("infinity"), nil]
        var envp: [UnsafeMutablePointer<CChar>?] = unsafe [nil]
        defer { unsafe argv.forEach { unsafe free($0) } }
        let failure = unsafe posix_spawn(&child, "/usr/bin/sleep", nil, nil, &argv, &envp)
        guard failure == 0 else { throw SupportError("no bystander: errno \(failure)") }
        return child
    }

    static func isAlive(_ process: Int32) -> Bool {
        var status: Int32 = 0
        return unsafe waitpid(process, &status, WNOHANG) == 0
    }
}
