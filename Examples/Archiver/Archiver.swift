import Logging
import ServiceLifecycle
import Understudy

/// Archives the WAL of a server until it gets SIGTERM: `archiver "host=db1,db2 user=archiver" /srv/wal`.
@main
struct Archiver {
    static func main() async throws {
        let logger = Logger(label: "archiver")
        let archiver = WALArchiver(
            source: ConnectionString(CommandLine.arguments[1]),
            slot: .createIfMissing("archive"),
            destination: .directory(CommandLine.arguments[2], compression: .zstd(level: 3)),
            logger: logger)

        // Listening does not slow the stream down, however slow the listener is.
        let listening = Task {
            for await event in archiver.events() {
                guard case .segmentFinished(let segment) = event else { continue }
                print("finished \(segment.name), \(archiver.status.lagBytes) bytes behind the server")
            }
        }

        // On a graceful shutdown, the archiver syncs and acknowledges what has arrived, then ends.
        try await ServiceGroup(services: [archiver], gracefulShutdownSignals: [.sigterm], logger: logger).run()
        await listening.value
    }
}
