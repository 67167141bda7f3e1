package import UnderstudyCore
import UnderstudyPlatform
package import UnderstudyWALArchive

/// What is answered over HTTP about archivers: the content of each path. It knows no connections.
package final class ArchiverSite: Sendable {
    package struct Answer: Sendable, Equatable {
        package var status: Int
        /// Its media type.
        package var type: String
        package var body: String
        /// Whether it is a page, which needs a policy of what it may load.
        package var isPage = false

        package init(status: Int, type: String, body: String, isPage: Bool = false) {
            self.status = status
            self.type = type
            self.body = body
            self.isPage = isPage
        }

        static func text(_ status: Int, _ body: String) -> Answer {
            Answer(status: status, type: "text/plain; charset=utf-8", body: body + "\n")
        }

        static func page(_ html: HTML) -> Answer {
            Answer(status: 200, type: "text/html; charset=utf-8", body: html.text, isPage: true)
        }
    }

    /// How often ``sample()`` is to be called.
    package static let sampleInterval = LagHistory.interval
    /// The Content-Security-Policy of pages: they load what this site serves, and nothing else.
    package static let policy =
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private let archivers: @Sendable () -> [WALArchiver]
    private let metrics: PrometheusMetrics?
    private let words: @Sendable (Remedy) -> String
    private let histories = Monitor<[ObjectIdentifier: LagHistory]>([:])

    /// - Parameters:
    ///   - archivers: Those of the moment.
    ///   - metrics: nil if another backend has them.
    ///   - words: Puts a remedy into words.
    package init(
        archivers: @escaping @Sendable () -> [WALArchiver], metrics: PrometheusMetrics?,
        words: @escaping @Sendable (Remedy) -> String
    ) {
        self.archivers = archivers
        self.metrics = metrics
        self.words = words
    }

    /// Notes how far each archiver lags now.
    package func sample() {
        let now = ContinuousClock.now
        let lags = archivers().map { (ObjectIdentifier($0), $0.status.lagIfKnown?.bytes) }
        histories.change { histories in
            let old = histories
            histories = [:]
            for (archiver, lag) in lags {
                histories[archiver] = old[archiver] ?? LagHistory()
                histories[archiver]?.add(LagHistory.Sample(at: now, lag: lag))
            }
        }
    }

    /// - Parameter target: Of a request: the path, and what follows it.
    package func answer(_ target: String) -> Answer {
        let query = Query(target)
        switch query.path {
        case "/", "/archiver", "/readyz", "/status":
            // Not for all of them: who asks wrongly about one would take the answer for its own.
            if !query.isSound { return .text(400, "The query is no percent-encoded UTF-8.") }
            if let name = query["name"], !archivers().contains(where: { $0.name == name }) {
                return .text(404, "There is no archiver of that name.")
            }
        default: break
        }
        switch query.path {
        case "/": return page(query)
        case "/archiver": return page(query)
        case "/page.css": return Answer(status: 200, type: "text/css; charset=utf-8", body: PageFiles.style)
        case "/page.js": return Answer(status: 200, type: "text/javascript; charset=utf-8", body: PageFiles.script)
        case "/healthz": return .text(200, "alive")
        case "/readyz": return readiness(query)
        case "/status":
            let moment = views(query)
            return Answer(
                status: 200, type: "application/json", body: StatusJSON.text(moment.views, at: moment.time))
        case "/metrics":
            guard let metrics else { return .text(404, "The metrics of this program have another place.") }
            return Answer(status: 200, type: PrometheusMetrics.mediaType, body: metrics.text)
        default: return .text(404, "There is nothing here. See /")
        }
    }

    /// A view of each archiver, or of those with the name that is asked for.
    private func views(_ query: Query) -> (views: [ArchiverView], time: UTCTime) {
        let name = query["name"]
        let histories = histories.read { $0 }
        let now = ContinuousClock.now, time = UTCTime.now
        let views = archivers().filter { name == nil || $0.name == name }.map { archiver in
            ArchiverView(
                name: archiver.name, status: archiver.status, maxLag: archiver.options.maxLag,
                maxSilence: archiver.options.stallTimeout.map { $0 / 2 + WALArchiver.Status.longestWait },
                history: histories[ObjectIdentifier(archiver)] ?? LagHistory(), now: now, time: time, words: words)
        }
        return (views, time)
    }

    private func page(_ query: Query) -> Answer {
        let (views, time) = views(query)
        if views.count == 1 { return .page(StatusPage.of(views[0])) }
        return .page(StatusPage.list(views, at: time))
    }

    private func readiness(_ query: Query) -> Answer {
        let (views, _) = views(query)
        let reasons = views.compactMap { view in view.unreadiness.map { "\(view.name) \($0)" } }
        return reasons.isEmpty ? .text(200, "ready") : .text(503, reasons.joined(separator: "\n"))
    }
}
