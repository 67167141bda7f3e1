import Foundation
import Glibc
import UnderstudyTestSupport

/// Tells the program lies, a seeded number of them, and watches what comes of it. `scripts/lies` builds and runs it.
@main
struct Main {
    static func main() throws {
        let options = Options(CommandLine.arguments)
        signal(SIGPIPE, SIG_IGN)
        let session = try LieSession(options)
        let failed = try session.run()
        exit(failed ? 1 : 0)
    }
}
