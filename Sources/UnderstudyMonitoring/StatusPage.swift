import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL
import UnderstudyWALArchive

/// The page for people. It works without its script, which only fetches it again and says when nobody answers.
enum StatusPage {
    /// One archiver, with all that is known of it.
    static func of(_ view: ArchiverView) -> HTML {
        frame(
            title: "\(phase(view.status.phase)) – \(view.name)", time: view.time,
            body: header(view) + figures(view) + LagPlot(history: view.history, now: view.now, limit: view.maxLag).svg
                + slot(view) + holdings(view) + error(view))
    }

    /// Several archivers, a line each.
    static func list(_ views: [ArchiverView], at time: UTCTime) -> HTML {
        let failing = views.count { $0.unreadiness != nil }
        let title = failing == 0 ? "\(views.count) archivers" : "\(failing) of \(views.count) archivers not ready"
        return frame(
            title: title, time: time,
            body: """
                <h1>\(title)</h1><table><thead><tr><th>Archiver</th><th>State</th><th class="n">Lag</th></tr></thead><tbody>\
                \(views.map(row))</tbody></table>
                """)
    }

    private static func row(_ view: ArchiverView) -> HTML {
        let lag = view.lag.map { Quantity.bytes($0.bytes) } ?? "unknown"
        return """
            <tr><td><a href="archiver?name=\(Query.encoded(view.name))">\(view.name)</a></td><td>\(badge(view))</td>\
            <td class="n">\(lag)</td></tr>
            """
    }

    // MARK: - Parts

    private static func header(_ view: ArchiverView) -> HTML {
        let reason: HTML = view.unreadiness.map { "<p class=\"reason\">It \($0).</p>" } ?? ""
        return "<h1>\(view.name) \(badge(view))</h1>\(reason)"
    }

    private static func badge(_ view: ArchiverView) -> HTML {
        "<span class=\"badge \(view.unreadiness == nil ? "good" : "bad")\">\(phase(view.status.phase))</span>"
    }

    private static func phase(_ phase: WALArchiver.Status.Phase) -> String {
        switch phase {
        case .stopped: "stopped"
        case .connecting: "connecting"
        case .waiting: "no connection"
        case .catchingUp: "catching up"
        case .streaming: "streaming"
        case .stalled: "no room"
        }
    }

    private static func figures(_ view: ArchiverView) -> HTML {
        let status = view.status
        let lag = view.lag.map { lag in
            lag.bytes == 0 ? "none" : "\(Quantity.bytes(lag.bytes)) for \(Quantity.clock(lag.time))"
        }
        let items: [(name: String, value: String?)] = [
            ("Lag", lag ?? "unknown"), ("Acknowledged", known(status.acknowledged)),
            ("Received", known(status.received)),
            ("Server", known(status.server)),
            ("Timeline", status.timeline.rawValue == 0 ? nil : "\(status.timeline.rawValue)"),
            ("Segment", status.segment), ("Segments finished", "\(status.segmentsFinished)"),
            ("Connected since", status.connectedSince.map { view.time(of: $0).text }),
            ("New connections", status.reconnects == 0 ? nil : "\(status.reconnects)"),
        ]
        return "<dl class=\"figures\">\(items.compactMap(item))</dl>"
    }

    private static func slot(_ view: ArchiverView) -> HTML {
        guard let slot = view.status.slot else { return "<h2>Slot</h2><p class=\"none\">None.</p>" }
        let lost: String? =
            slot.isInvalidated ? "yes" + (slot.invalidationReason.map { " (\($0))" } ?? "") : nil
        let items: [(name: String, value: String?)] = [
            ("Name", slot.name), ("Keeps WAL from", slot.restartLSN.flatMap(known)), ("WAL status", slot.walStatus),
            ("Room until it loses WAL", slot.safeBytes.map { Quantity.bytes(UInt64(max(0, $0))) }),
            ("Invalidated", lost),
        ]
        return "<h2>Slot</h2><dl class=\"figures\">\(items.compactMap(item))</dl>"
    }

    private static func holdings(_ view: ArchiverView) -> HTML {
        guard let holdings = view.status.holdings else {
            return "<h2>Archive</h2><p class=\"none\">Not looked at yet.</p>"
        }
        let items: [(name: String, value: String?)] = [
            ("From", holdings.begin.map(position)), ("Up to", holdings.end.map(position) ?? "empty"),
        ]
        let gaps: HTML =
            holdings.gaps.isEmpty
            ? "<p class=\"none\">No gaps.</p>"
            : """
            <p class="reason">A restore cannot pass through \(holdings.gaps.count == 1 ? "this gap" : "these gaps"):</p>\
            <ul>\(holdings.gaps.prefix(mostGaps).map(gap))</ul>\(more(holdings.gaps.count))
            """
        return "<h2>Archive</h2><dl class=\"figures\">\(items.compactMap(item))</dl>\(gaps)"
    }

    /// The page stays short, whatever is missing.
    private static let mostGaps = 50

    private static func gap(_ gap: WALGap) -> HTML {
        "<li class=\"lsn\">\(position(gap.start)) up to \(position(gap.end))</li>"
    }

    private static func more(_ count: Int) -> HTML {
        count > mostGaps ? "<p class=\"none\">And \(count - mostGaps) more.</p>" : ""
    }

    private static func error(_ view: ArchiverView) -> HTML {
        guard let error = view.status.lastError else { return "<h2>Last error</h2><p class=\"none\">None.</p>" }
        let time: HTML = view.status.lastErrorAt.map { "<p class=\"none\">\(view.time(of: $0).text)</p>" } ?? ""
        let detail: HTML = error.detail.map { "<p>\($0)</p>" } ?? ""
        let hint: HTML = error.remedy.map { "<p>\(view.words($0))</p>" } ?? ""
        return "<h2>Last error</h2><div class=\"error\">\(time)<p><b>\(error.message)</b></p>\(detail)\(hint)</div>"
    }

    private static func item(_ item: (name: String, value: String?)) -> HTML? {
        item.value.map { "<div><dt>\(item.name)</dt><dd>\($0)</dd></div>" }
    }

    private static func known(_ lsn: LSN) -> String? { lsn == .invalid ? nil : lsn.description }

    private static func position(_ position: WALPosition) -> String {
        "\(position.lsn) (timeline \(position.timeline.rawValue))"
    }

    // MARK: - The frame

    private static func frame(title: String, time: UTCTime, body: HTML) -> HTML {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><title>\(title)</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <link rel="stylesheet" href="page.css">
        <noscript><meta http-equiv="refresh" content="10"></noscript>
        <script src="page.js" defer></script></head>
        <body><p id="alarm" role="alert" hidden></p>
        <main id="live">
        \(body)
        <p class="none">As of \(time.text).</p>
        </main>
        <footer><a href=".">Overview</a> <a href="status">Status as JSON</a> <a href="metrics">Metrics</a> \
        <a href="readyz">Ready?</a></footer>
        </body></html>

        """
    }
}
