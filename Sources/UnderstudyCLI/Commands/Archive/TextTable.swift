/// Rows whose columns are aligned.
struct TextTable {
    /// The columns with numbers, which are aligned at their right.
    private let numbers: Set<Int>
    private let indent: String
    private var rows: [[String]] = []

    init(numbers: Set<Int>, indent: String = "  ") {
        self.numbers = numbers
        self.indent = indent
    }

    mutating func add(_ row: [String]) { rows.append(row) }

    /// A line for each row.
    var lines: [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, text in
                let padding = String(repeating: " ", count: widths[column] - text.count)
                return numbers.contains(column) ? padding + text : text + padding
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return indent + line
        }
    }
}
