import Foundation
import Glibc

/// Data directories as initdb leaves them, made once for each set of its options and copied for each cluster.
///
/// Test processes that run side by side share them, where `UNDERSTUDY_TEST_TMP` names a directory that goes with the run.
enum ClusterTemplate {
    private static let templates = Locked<[String: String]>([:])

    static func copy(_ installation: PostgresInstallation, _ options: Cluster.Options, to directory: String) throws {
        var arguments = [
            "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync",
            "--wal-segsize=\(options.walSegmentMegabytes)",
        ]
        if options.checksums { arguments.append("--data-checksums") }
        if !options.checksums, installation.major >= 18 { arguments.append("--no-data-checksums") }
        if options.groupAccess { arguments.append("--allow-group-access") }
        let key = ([String(installation.major)] + arguments.dropFirst(8)).joined()
        let template = try templates.withLock { templates in
            if let template = templates[key] { return template }
            let template = "\(try home())/\(key)"
            try whileLocked("\(template).lock") {
                guard !FileManager.default.fileExists(atPath: template) else { return }
                let new = "\(template).new"
                try? FileManager.default.removeItem(atPath: new)
                try Program.check(installation.program("initdb"), ["-D", new] + arguments)
                try FileManager.default.moveItem(atPath: new, toPath: template)
            }
            templates[key] = template
            return template
        }
        try Program.check("/bin/cp", ["-a", template, directory])
    }

    private static func home() throws -> String {
        let shared = ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_TMP"].map { "\($0)/templates" }
        let path = shared ?? "\(TestDirectory.root)/templates"
        // The string is lent for the call.
        _ = unsafe mkdir(path, 0o755)
        try Account.own(path)
        return path
    }

    /// Keeps other processes out, by flock(2) on a file of its own.
    private static func whileLocked(_ path: String, _ body: () throws -> Void) throws {
        // The string is lent for the call.
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else {
            throw SupportError("could not lock \"\(path)\": errno \(errno)")
        }
        defer { close(descriptor) }
        try body()
    }
}
