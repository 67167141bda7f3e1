import Understudy

/// The progress of a WAL archive as readable text.
enum ReceiveProgressText {
    /// One line for a terminal: position, rate, lag, phase. It is shorter than `columns`, so that the cursor stays on
    /// the line; the least important figures are left out first.
    static func terminalLine(_ status: WALArchiver.Status, bytesPerSecond: UInt64?, columns: Int) -> String {
        let phase = Figure(text: phase(status), weight: 4)
        return (figures(status, bytesPerSecond: bytesPerSecond) + [phase]).line(columns: columns)
    }

    /// One line for a log.
    static func plainLine(_ status: WALArchiver.Status, bytesPerSecond: UInt64?) -> String {
        let figures = figures(status, bytesPerSecond: bytesPerSecond).map(\.text).joined(separator: ", ")
        return figures.isEmpty ? phase(status) : "\(phase(status)): \(figures)"
    }

    private static func figures(_ status: WALArchiver.Status, bytesPerSecond: UInt64?) -> [Figure] {
        var figures: [Figure] = []
        if status.received != .invalid {
            figures.append(Figure(text: "received \(status.received)", weight: 2))
        }
        if let bytesPerSecond {
            figures.append(Figure(text: "\(Quantity.bytes(bytesPerSecond))/s", weight: 1))
        }
        // Without a connection nobody knows where the server is.
        if status.server != .invalid, ![.connecting, .waiting].contains(status.phase) {
            let since = status.lag < .seconds(1) ? "" : " (\(Quantity.clock(status.lag)))"
            figures.append(Figure(text: "lag \(Quantity.bytes(status.lagBytes))\(since)", weight: 3))
        }
        return figures
    }

    private static func phase(_ status: WALArchiver.Status) -> String {
        status.phase == .catchingUp ? "catching up" : status.phase.rawValue
    }
}
