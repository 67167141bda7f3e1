import Foundation
import Glibc
import Synchronization

/// The directory that holds all that a run of the tests makes: clusters, targets, logs. A second one is for what needs the
/// file system of a disk.
///
/// Each belongs to the user that servers run as, and is removed, servers in it stopped, when the process ends. What an
/// earlier run left behind because it was killed is removed when the next one begins.
package enum TestDirectory {
    /// In `UNDERSTUDY_TEST_TMP`, often in memory, or in /tmp.
    package static let root = makeRoot(in: ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_TMP"] ?? "/tmp")

    /// In `UNDERSTUDY_TEST_DISK`, or the first of /var/tmp and /tmp that is not in memory.
    private static let diskRoot: String = {
        let given = ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_DISK"].map { [$0] }
        let parent = (given ?? ["/var/tmp", "/tmp"]).first { !isInMemory($0) }
        return parent.map(makeRoot) ?? root
    }()

    private static func makeRoot(in parent: String) -> String {
        removeLeftovers(in: parent)
        let path = "\(parent)/\(prefix)\(getpid())"
        if roots.withLock({ $0.contains(path) }) { return path }
        // A socket's path has 107 bytes at most.
        precondition(path.utf8.count <= 60, "\"\(parent)\" is too long for the path of a socket")
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
            try Account.own(path)
        } catch {
            fatalError("could not make the directory of the tests: \(error)")
        }
        let isFirst = roots.withLock { roots in
            roots.append(path)
            return roots.count == 1
        }
        if isFirst {
            atexit { for root in TestDirectory.roots.withLock({ $0 }) { TestDirectory.removeTree(root) } }
        }
        return path
    }

    /// Whether a file system is tmpfs or ramfs, which know no disk.
    private static func isInMemory(_ path: String) -> Bool {
        let type = try? Program.run("/usr/bin/stat", ["-f", "-c", "%T", path], asCaller: true).output
        return ["tmpfs\n", "ramfs\n"].contains(type)
    }

    private static let prefix = "understudy-test-"
    private static let roots = Locked<[String]>([])
    private static let counter = Atomic(0)

    /// A path in the root that nobody else uses. Nothing is there yet.
    package static func freshPath(_ name: String) -> String {
        "\(root)/\(name)\(counter.add(1, ordering: .relaxed).newValue)"
    }

    /// A new empty directory, owned by the user that servers run as.
    package static func make(_ name: String, mode: Int = 0o700) throws -> String {
        let path = freshPath(name)
        try make(at: path, mode: mode)
        return path
    }

    /// A path on the file system of a disk that nobody else uses: for what is done there alone, or otherwise, such as
    /// syncfs and direct writes.
    package static func freshPathOnDisk(_ name: String) -> String {
        "\(diskRoot)/\(name)\(counter.add(1, ordering: .relaxed).newValue)"
    }

    /// A new empty directory on the file system of a disk.
    package static func makeOnDisk(_ name: String) throws -> String {
        let path = freshPathOnDisk(name)
        try make(at: path)
        return path
    }

    package static func make(at path: String, mode: Int = 0o700) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: mode])
        try Account.own(path)
    }

    /// Writes a file that the user that servers run as owns.
    package static func write(_ text: String, to path: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        try Account.own(path)
    }

    /// Stops the servers whose data directories lie under `path`, however deep, and removes it.
    package static func removeTree(_ path: String) {
        let postmasters = (FileManager.default.enumerator(atPath: path)?.lazy.compactMap { $0 as? String } ?? [])
            .filter { $0.hasSuffix("/postmaster.pid") || $0 == "postmaster.pid" }
            .compactMap { Postmaster(pidFile: "\(path)/\($0)") }
        for postmaster in postmasters { postmaster.quit() }
        for postmaster in postmasters { postmaster.waitUntilGone() }
        // A server that just died may still have a child that removes its files.
        for _ in 0..<10 where FileManager.default.fileExists(atPath: path) {
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    private static func removeLeftovers(in parent: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
            guard let owner = pid_t(name.dropFirst(prefix.count)), kill(owner, 0) != 0, errno == ESRCH else { continue }
            removeTree("\(parent)/\(name)")
        }
    }
}

/// A running server, known by its postmaster.pid.
struct Postmaster {
    let processID: pid_t

    init?(pidFile: String) {
        guard let text = try? String(contentsOfFile: pidFile, encoding: .utf8),
            let line = text.split(separator: "\n").first, let processID = pid_t(line), processID > 1,
            // The file may outlive its server, and the number be another process's by now.
            let name = try? String(contentsOfFile: "/proc/\(processID)/comm", encoding: .utf8),
            name == "postgres\n"
        else { return nil }
        self.processID = processID
    }

    /// Immediate shutdown: no checkpoint, as in a crash.
    func quit() {
        kill(processID, SIGQUIT)
    }

    func waitUntilGone() {
        // The postmaster kills its children that ignore it after five seconds.
        for _ in 0..<3000 where kill(processID, 0) == 0 {
            usleep(10_000)
        }
    }
}
