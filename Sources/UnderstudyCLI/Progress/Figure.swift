/// One figure in a progress line.
struct Figure: Sendable {
    var text: String
    /// If there is not enough room, the figure with the lowest weight is left out first.
    var weight: Int
}

extension [Figure] {
    /// The figures in one line shorter than `columns`, so that the cursor stays on the line.
    func line(columns: Int) -> String {
        let room = Swift.max(0, columns - 1)
        var figures = self
        while figures.count > 1, figures.line.count > room {
            let lightest = figures.indices.min { figures[$0].weight < figures[$1].weight }!
            figures.remove(at: lightest)
        }
        return String(figures.line.prefix(room))
    }

    private var line: String { map(\.text).joined(separator: "  ") }
}
