import Logging
import ServiceLifecycle
import Understudy

/// Archives the WAL of many servers until it gets SIGTERM: `fleet "host=db1 user=archiver" /srv/wal/db1 …`, a connection
/// string and a directory for each. The directory's name is the archiver's, and the slot's.
@main
struct Fleet {
    static func main() async throws {
        let logger = Logger(label: "fleet")
        // The end of one archiver ends no other.
        let group = WALArchiverGroup { name, error in
            print("\(name) has ended \(error.map { "with an error: \($0)" } ?? "in order")")
        }
        let arguments = Array(CommandLine.arguments.dropFirst())
        for index in stride(from: 0, to: arguments.count - 1, by: 2) {
            let directory = arguments[index + 1]
            let name = String(directory.split(separator: "/").last ?? "archive")
            try group.add(
                WALArchiver(
                    source: ConnectionString(arguments[index]), slot: .createIfMissing(name),
                    destination: .directory(directory), options: .init(name: name), logger: logger))
        }
        // On a graceful shutdown all stop at the same time.
        try await ServiceGroup(services: [group], gracefulShutdownSignals: [.sigterm], logger: logger).run()
    }
}
