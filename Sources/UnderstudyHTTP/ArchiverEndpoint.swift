#if HTTP
public import Logging
public import ServiceLifecycle
public import UnderstudyCore
public import UnderstudyMonitoring
import UnderstudyPlatform
public import UnderstudyWALArchive

/// Shows archivers over HTTP: metrics to Prometheus, their health to whatever restarts them, their status to programs, and
/// a page to people.
///
/// ```swift
/// let metrics = PrometheusMetrics()
/// MetricsSystem.bootstrap(metrics)
/// let endpoint = ArchiverEndpoint(ListenAddress(port: 9187), archivers: [archiver], metrics: metrics, logger: logger)
/// // Throws if the port is taken, before anything is received.
/// try await endpoint.start()
/// try await ServiceGroup(services: [archiver, endpoint], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// | Path | Answer |
/// |---|---|
/// | `/metrics` | the metrics, in Prometheus' text format |
/// | `/healthz` | 200 while the process answers |
/// | `/readyz` | 200 if all archivers stream, and none lags by more than its `maxLag`; else 503, with a line for each that does not |
/// | `/status` | the status of all archivers as JSON |
/// | `/`, `/archiver?name=NAME` | a page; `?name=NAME` works for `/readyz` and `/status`, too |
///
/// It has one thread, for which no archiver waits. Connections, requests and the time that they take are bounded. There is
/// neither encryption nor a login: what it shows has names of hosts and roles in it. Listen on loopback, or put a proxy in
/// front of it.
///
/// The library has it with the package trait `HTTP` only.
public final class ArchiverEndpoint: Service {
    private let wanted: ListenAddress
    private let site: ArchiverSite
    private let logger: Logger

    private struct State {
        /// Where it listens.
        var address: ListenAddress?
        var listener: Listener?
    }

    private let state = Monitor(State())

    /// - Parameters:
    ///   - archivers: Called for each request: those of the moment, on any thread.
    ///   - metrics: The backend that the archivers record into; nil if it is another, which shows them elsewhere. Then
    ///     `/metrics` is 404.
    public convenience init(
        _ address: ListenAddress, archivers: @escaping @Sendable () -> [WALArchiver],
        metrics: PrometheusMetrics? = nil, logger: Logger = .silent
    ) {
        self.init(address, archivers: archivers, metrics: metrics, logger: logger, words: \.description)
    }

    public convenience init(
        _ address: ListenAddress, archivers: [WALArchiver], metrics: PrometheusMetrics? = nil,
        logger: Logger = .silent
    ) {
        self.init(address, archivers: { archivers }, metrics: metrics, logger: logger)
    }

    /// - Parameter words: Puts a remedy into words.
    package init(
        _ address: ListenAddress, archivers: @escaping @Sendable () -> [WALArchiver], metrics: PrometheusMetrics?,
        logger: Logger, words: @escaping @Sendable (Remedy) -> String
    ) {
        wanted = address
        self.logger = logger
        site = ArchiverSite(archivers: archivers, metrics: metrics, words: words)
    }

    /// Where it listens, with the port that was free if none was named; nil if it does not.
    public var address: ListenAddress? { state.read { $0.address } }

    /// Listens, unless it does so already, and answers from then on.
    ///
    /// Throws an error with the code ``UnderstudyError/Code/options`` if the address cannot be had, as when another program
    /// has the port.
    public func start() async throws(UnderstudyError) {
        guard address == nil else { return }
        let (listener, bound) = try await Listener.start(on: wanted, site)
        let isFirst = state.change { state in
            guard state.listener == nil else { return false }
            state = State(address: bound, listener: listener)
            return true
        }
        // Another call was faster.
        guard isFirst else { return listener.stop() }
        logger.info("listening on http://\(bound)/")
    }

    /// Ends all connections, and frees the port.
    public func stop() {
        state.change { state in
            defer { state = State() }
            return state.listener
        }?.stop()
    }

    /// Listens, if ``start()`` was not called, until the service is shut down gracefully or the task is cancelled.
    public func run() async throws {
        try await start()
        try? await gracefulShutdown()
        stop()
    }
}
#endif
