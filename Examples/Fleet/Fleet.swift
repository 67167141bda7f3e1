import Glibc
import Logging
import ServiceLifecycle
import Understudy

/// Archives the WAL of many servers until it gets SIGTERM: `fleet "host=db1 user=archiver" /srv/wal/db1 …`, a connection
/// string and a directory for each. The directory's name is the archiver's, and the slot's.
@main
struct Fleet {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 2, arguments.count.isMultiple(of: 2) else {
            print("usage: fleet CONNECTION_STRING DIRECTORY [CONNECTION_STRING DIRECTORY]...")
            exit(arguments == ["--help"] ? 0 : 1)
        }
        // Each line names its archiver, and says if one has ended with an error.
        let logger = Logger(label: "fleet")
        // The end of one archiver ends no other.
        let group = WALArchiverGroup { name, error in
            if error == nil { print("\(name) has ended in order") }
        }
        for index in stride(from: 0, to: arguments.count, by: 2) {
            let directory = arguments[index + 1]
            let name = String(directory.split(separator: "/").last ?? "archive")
            do {
                try group.add(
                    WALArchiver(
                        source: ConnectionString(arguments[index]), slot: .createIfMissing(name),
                        destination: .directory(directory), options: .init(name: name), logger: logger))
            } catch {
                logger.error("\(error)")
                exit(1)
            }
        }
        // On a graceful shutdown all stop at the same time.
        try await ServiceGroup(services: [group], gracefulShutdownSignals: [.sigterm], logger: logger).run()
    }
}
