import UnderstudyCore

/// The lag of the last hour as a drawing: a line, and shaded where there was no connection.
///
/// Source: SVG 1.1.
struct LagPlot {
    var history: LagHistory
    var now: ContinuousClock.Instant
    /// A line to draw, if the lag comes near it.
    var limit: UInt64?

    private static let width = 600.0, height = 120.0

    var svg: HTML {
        let runs = history.runs(until: now)
        let known = runs.joined().compactMap(\.lag)
        guard let most = known.max() else { return "<p class=\"none\">No samples yet.</p>" }
        let top = max(most, 1)
        var limitLine: HTML = ""
        if let limit, limit <= top {
            let y = Self.text(y(limit, top))
            limitLine = "<line class=\"limit\" x1=\"0\" x2=\"600\" y1=\"\(y)\" y2=\"\(y)\"/>"
        }
        let label =
            "Lag over the last hour: at most \(Quantity.bytes(most)), at last \(known.last.map(Quantity.bytes) ?? "unknown")"
        return """
            <figure><figcaption>Lag over the last hour <b>at most \(Quantity.bytes(most))</b></figcaption>\
            <svg viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label="\(label)">\
            \(runs.map { $0[0].lag == nil ? shade($0) : line($0, top) })\(limitLine)</svg>\
            <div class="axis"><span>60 min ago</span><span>30</span><span>now</span></div></figure>
            """
    }

    private func line(_ run: [LagHistory.Sample], _ top: UInt64) -> HTML {
        var points = run.map { "\(Self.text(x($0.at))),\(Self.text(y($0.lag ?? 0, top)))" }
        // A single sample has a width, too.
        if let last = run.last { points.append("\(Self.text(x(last.at) + step)),\(Self.text(y(last.lag ?? 0, top)))") }
        return "<polyline class=\"lag\" points=\"\(points.joined(separator: " "))\"/>"
    }

    private func shade(_ run: [LagHistory.Sample]) -> HTML {
        let begin = x(run[0].at), end = min(x(run[run.count - 1].at) + step, Self.width)
        return """
            <rect class="away" x="\(Self.text(begin))" y="0" width="\(Self.text(end - begin))" height="120">\
            <title>no connection</title></rect>
            """
    }

    private var step: Double { Self.width * (LagHistory.interval / LagHistory.span) }

    private func x(_ at: ContinuousClock.Instant) -> Double {
        Self.width * (1 - max(0, (now - at) / LagHistory.span))
    }

    private func y(_ lag: UInt64, _ top: UInt64) -> Double {
        // A line at the edge would be half as wide.
        2 + (Self.height - 4) * (1 - Double(lag) / Double(top))
    }

    /// With one digit behind the point.
    private static func text(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
