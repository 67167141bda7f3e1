import Foundation
import Glibc

/// A throw-away database cluster with its own port and socket directory, reached as superuser postgres.
///
/// It is stopped and removed when nobody holds it any more, so also when a test fails.
package final class Cluster: Sendable {
    package let installation: PostgresInstallation
    /// The data directory.
    package let directory: String
    package let port: Int
    package let socketDirectory: String

    /// Where everything of this cluster lies, or nil where it was adopted.
    private let home: String?
    private let log: String

    /// How a cluster is made.
    package struct Options: Sendable, Hashable {
        package var checksums = true
        package var walSegmentMegabytes = 16
        package var groupAccess = false
        /// Lines added to postgresql.conf.
        package var settings: [String] = []
        /// The lines of pg_hba.conf after the one that lets the superuser in through the socket.
        package var hostBasedAuthentication = [
            "local all,replication all trust", "host all,replication all 127.0.0.1/32 trust",
        ]

        package init() {}
    }

    /// Makes a cluster and starts it.
    package init(_ installation: PostgresInstallation, _ options: Options = Options()) throws {
        self.installation = installation
        let home = try TestDirectory.make("c", mode: 0o755)
        self.home = home
        directory = "\(home)/data"
        socketDirectory = "\(home)/s"
        log = "\(home)/log"
        port = try Port.free()
        try TestDirectory.make(at: socketDirectory)
        try ClusterTemplate.copy(installation, options, to: directory)
        try configure(options)
        try start()
    }

    /// Takes charge of a cluster that another program has made.
    package init(
        directory: String, port: Int, socketDirectory: String, log: String? = nil, _ installation: PostgresInstallation
    ) {
        self.installation = installation
        self.directory = directory
        self.port = port
        self.socketDirectory = socketDirectory
        self.log = log ?? TestDirectory.freshPath("log")
        home = nil
    }

    /// Takes charge of a server that another program has started.
    package convenience init(running directory: String, _ installation: PostgresInstallation) throws {
        let file = try String(contentsOfFile: "\(directory)/postmaster.pid", encoding: .utf8)
        let lines = file.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count > 4, let port = Int(lines[3]) else { throw SupportError("postmaster.pid: \(file)") }
        // The socket's directory, or where there is none: localhost.
        let socketDirectory = lines[4].isEmpty ? "127.0.0.1" : String(lines[4])
        self.init(directory: directory, port: port, socketDirectory: socketDirectory, installation)
    }

    /// Takes charge of a finished backup of `primary`, to be started beside it on another port.
    package convenience init(copy directory: String, of primary: Cluster) throws {
        let port = try Port.free()
        self.init(
            directory: directory, port: port, socketDirectory: primary.socketDirectory, primary.installation)
        try append(["port = \(port)"], to: "postgresql.auto.conf")
    }

    deinit {
        destroy()
    }

    /// Stops the server as in a crash, and removes all files.
    package func destroy() {
        TestDirectory.removeTree(home ?? directory)
    }

    /// A libpq connection string for TCP, without a database.
    package func connectionString(user: String = "postgres", port: Int? = nil) -> String {
        "host=127.0.0.1 port=\(port ?? self.port) user=\(user)"
    }

    private func configure(_ options: Options) throws {
        let settings =
            [
                "listen_addresses = '127.0.0.1'", "port = \(port)", "unix_socket_directories = '\(socketDirectory)'",
                "fsync = off", "shared_buffers = 16MB", "max_connections = 40", "wal_level = replica",
                "max_wal_senders = 10", "max_replication_slots = 10", "hot_standby = on", "logging_collector = off",
                "log_line_prefix = '%m [%p] %q%a '", "max_wal_size = 1GB",
                // A standby without a slot finds the WAL behind the backup that it starts from.
                "wal_keep_size = 256MB",
            ] + options.settings
        try append(settings, to: "postgresql.conf")
        try TestDirectory.write(
            (["local all postgres trust"] + options.hostBasedAuthentication + [""]).joined(separator: "\n"),
            to: "\(directory)/pg_hba.conf", mode: options.groupAccess ? 0o640 : 0o600)
    }
}

// MARK: - Starting and stopping

extension Cluster {
    package enum ShutdownMode: String, Sendable {
        case smart, fast, immediate
    }

    /// Starts the server and waits until it accepts connections. A failure shows the end of its log.
    package func start() throws {
        let result = try Program.run(
            installation.program("pg_ctl"), ["start", "-w", "-t", "120", "-s", "-D", directory, "-l", log])
        guard result.status == 0 else {
            throw SupportError("\(result)\nlog: \(logTail)")
        }
    }

    package func stop(_ mode: ShutdownMode = .fast) throws {
        try Program.check(
            installation.program("pg_ctl"), ["stop", "-w", "-t", "120", "-s", "-D", directory, "-m", mode.rawValue])
    }

    package func restart() throws {
        try stop()
        try start()
    }

    package var logText: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "(none)" }

    /// The end of the server's log.
    package var logTail: String {
        logText.split(separator: "\n").suffix(30).joined(separator: "\n")
    }
}

// MARK: - Files

extension Cluster {
    /// Adds lines to a file of the data directory, keeping its mode and owner.
    package func append(_ lines: [String], to file: String) throws {
        guard let handle = FileHandle(forWritingAtPath: "\(directory)/\(file)") else {
            throw SupportError("no file \(file) in \(directory)")
        }
        defer { try? handle.close() }
        try handle.seekToEnd()
        try handle.write(contentsOf: Data((lines.joined(separator: "\n") + "\n").utf8))
    }
}
