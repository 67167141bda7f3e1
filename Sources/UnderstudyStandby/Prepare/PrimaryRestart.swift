import Glibc
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// The restart of a primary on this machine, in the way in which it was started: by Debian's command, systemd, or pg_ctl.
struct PrimaryRestart: Sendable {
    private let words: [String]
    private let directory: String
    /// The user that runs the server, if this process has to become that user.
    private let owner: BaseBackup.Owner?
    private var log: StartLog?
    /// What is to be known of it before; nil if there is nothing.
    private(set) var note: String?
    /// Those that come into effect with it, and the file in which they stand.
    private let settings: String

    /// - Parameter settings: Those that come into effect with it.
    init(
        _ facts: PreparationFacts, _ options: PrimaryPreparation.Options, settings: [String]
    ) throws(UnderstudyError) {
        guard let directory = facts.files.directory, let postmaster = facts.files.postmaster else {
            throw UnderstudyError(
                .options, "the primary cannot be restarted from here: it does not run on this machine",
                detail: "Nothing was changed.", hint: "Prepare it without a restart, and restart it there.")
        }
        self.directory = directory
        let place = facts.editsFiles(options) ? facts.files.paths.configuration : "\(directory)/postgresql.auto.conf"
        self.settings = "\(settings.joined(separator: ", ")), in \"\(place ?? "postgresql.conf")\""
        guard postmaster.processID != 1 else {
            throw UnderstudyError(
                .options, "the primary is the first process of its container, which would end with it",
                detail: "Nothing was changed.", hint: "Prepare it without a restart, and restart the container.")
        }
        let info: ModeAndOwner
        do throws(FileIOError) { info = try ConfinedDirectory(path: directory).modeAndOwner() } catch {
            throw UnderstudyError(error)
        }
        guard geteuid() == 0 || geteuid() == info.owner.user else {
            let user = userName(info.owner.user) ?? "\(info.owner.user)"
            throw UnderstudyError(
                .options, "the primary runs as user \"\(user)\", who alone can restart it, or root",
                detail: "Nothing was changed.", hint: "Run this as \"\(user)\" or root, or without a restart.")
        }
        let wait = max(1, (options.restart ?? .init()).wait.components.seconds)
        let file = facts.files.paths.configuration
        if let cluster = file.flatMap({ DebianConfiguration(file: $0) }), cluster.leads(to: directory) {
            words = cluster.restartCommand
            owner = nil
        } else if let unit = Self.unit(of: postmaster.processID), geteuid() == 0 {
            words = ["systemctl", "restart", unit]
            owner = nil
        } else {
            let owner: BaseBackup.Owner? =
                geteuid() == info.owner.user ? nil : .init(user: info.owner.user, group: info.owner.group)
            let pgCtl = try ServerPrograms(facts.version, given: options.binDirectory).pgCtl
            let now = Self.log(of: postmaster.processID)
            let log: StartLog
            if let now, Self.mayAppend(to: now.path, info.owner) {
                log = now
            } else {
                // A command that is only shown finds no file made for it.
                log = StartLog(
                    directory: directory, configFile: nil, given: nil, user: info.owner,
                    isMade: options.restart != nil)
                note = now.map { now in
                    let user = userName(info.owner.user) ?? "\(info.owner.user)"
                    return "user \"\(user)\" cannot write to the server's log \"\(now.path)\": "
                        + "from its restart on, the server writes to \"\(log.path)\""
                }
            }
            words = [pgCtl, "-D", directory, "-l", log.path, "-m", "fast", "-w", "-t", "\(wait)", "restart"]
            self.owner = owner
            self.log = log
        }
    }

    /// The service of systemd that the server is; nil if it is none that is known to be PostgreSQL's.
    private static func unit(of process: Int32) -> String? {
        guard let bytes = try? ConfinedDirectory(path: "/proc/\(process)").read("cgroup", atMost: 1 << 16) else {
            return nil
        }
        let groups = String(decoding: bytes, as: UTF8.self).lines
        return groups.lazy.map(\.lastPathComponent).first { name in
            name.hasSuffix(".service") && ["postgresql", "pgsql"].contains { name.hasPrefix($0) }
        }
    }

    /// The file that the server writes to now.
    private static func log(of process: Int32) -> StartLog? {
        guard let files = try? ConfinedDirectory(path: "/proc/\(process)/fd"), let path = files.linkTarget("2"),
            path.isAbsolutePath, let directory = try? ConfinedDirectory(path: path.parentPath),
            let info = try? directory.status(of: RelativePath(path.lastPathComponent)), info.st_mode & S_IFMT == S_IFREG
        else { return nil }
        return StartLog(path: path)
    }

    /// Whether a user may write to a file, by the permission bits of it and of the directories above it.
    private static func mayAppend(to path: String, _ user: FileOwner) -> Bool {
        if user.user == geteuid() { return unsafe access(path, W_OK) == 0 }
        var place = path.parentPath
        guard let directory = try? ConfinedDirectory(path: place),
            let info = try? directory.status(of: RelativePath(path.lastPathComponent))
        else { return false }
        let file = ModeAndOwner(
            mode: UInt16(truncatingIfNeeded: info.st_mode & 0o7777),
            owner: FileOwner(user: info.st_uid, group: info.st_gid))
        guard file.permissions(of: user) & 2 != 0 else { return false }
        while let above = try? ConfinedDirectory(path: place).modeAndOwner(), above.permissions(of: user) & 1 != 0 {
            if place == "/" { return true }
            place = place.parentPath
        }
        return false
    }

    /// As a user types it.
    var command: String {
        StandbyServer.command(words, as: owner)
    }

    var step: PrimaryPreparation.Step {
        .init(kind: .restart, summary: "restart the server", text: command)
    }

    /// Restarts it, and waits until it lets clients in.
    func run() async throws(UnderstudyError) {
        var log = log
        do throws(FileIOError) {
            try log?.prepare(owner?.fileOwner ?? .ofThisProcess)
        } catch { throw UnderstudyError(error) }
        let restart = ServerProgramRun(
            program: Self.path(words[0]), arguments: Array(words.dropFirst()), directory: "/", owner: owner,
            environment: ServerEnvironment(owner: owner))
        let (status, output) = try await restart.result().get()
        guard status != 0 else { return }
        let failure = log.flatMap { ServerLog($0.read(atMost: 1 << 20)).firstFailure?.text }
        throw UnderstudyError(
            .start, "the restart failed, and the server may be down",
            detail: failure.map { "The server says: \($0)" } ?? "It says: \(ServerLog(output).lastLines)",
            hint: (log.map { "Its log is \"\($0.path)\". " } ?? "")
                + "These settings came into effect with it: \(settings). When the cause is mended, start it with: \(command)"
        )
    }

    /// Commands of the system, whose directory may not be in the PATH of who runs this.
    private static func path(_ program: String) -> String {
        program.isAbsolutePath
            ? program
            : ["/usr/bin", "/bin"].map { "\($0)/\(program)" }.first { unsafe access($0, X_OK) == 0 } ?? program
    }
}
