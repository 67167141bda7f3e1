import UnderstudyTestSupport

extension Mutation {
    /// What rows say.
    static let rows: [Mutation] = [
        Mutation(14) { lie, random, around in
            let tables = Table.allCases.filter { $0.isAsked(by: lie) }
            return lie.change(tables.randomElement(using: &random)!, &random, around)
        },
        // The place of a tablespace.
        Mutation(5, for: { $0.order.makesCopy }) { lie, random, around in
            let location = Values.locations(around.place).randomElement(using: &random)!
            let row = one(in: 3, &random) ? nil : 0
            if let row {
                set(location, at: row, 1, of: &lie.tale.played.tablespaces)
                lie.tale.played.archiveNames[row].1 = location
                for index in lie.tale.archives[1].indices where lie.tale.archives[1][index].type == "2" {
                    lie.tale.archives[1][index].link = location
                }
            } else {
                lie.tale.played.tablespaces.insert(["16386", location, "1"], at: 0)
                lie.tale.played.archiveNames.insert(("16386.tar", location), at: 0)
                lie.tale.archives.insert([.directory("\(lie.release.tablespaceDirectory)/")], at: 0)
                lie.tale.archives[lie.tale.archives.count - 1].append(.link("pg_tblspc/16386", to: location))
            }
            // A sound server may have one anywhere.
            lie.isPlaceMoved = true
            return "\(row == nil ? "another" : "the") tablespace at \(location)"
        },
        Mutation(2, for: { $0.order.makesCopy }) { lie, random, around in
            let count = [3, 50, 300, 2000, 20_000].randomElement(using: &random)!
            let isNested = one(in: 2, &random)
            var place = "\(around.place.elsewhere)/t"
            let more = (0..<count).map { index -> [String?] in
                place = isNested && index < 500 ? "\(place)/t" : "\(around.place.elsewhere)/t\(index)"
                return ["\(20_000 + index)", place, "1"]
            }
            lie.tale.played.tablespaces = more + lie.tale.played.tablespaces
            return "\(count) tablespaces more, \(isNested ? "in each other" : "beside each other"), without archives"
        },
        Mutation(3, for: { $0.order.makesCopy }) { lie, random, _ in
            let timeline = Values.timelines.filter { $0 != "1" }.randomElement(using: &random)!
            if one(in: 2, &random) {
                set(timeline, at: 0, 1, of: &lie.tale.played.end)
            } else {
                set(timeline, at: 0, 1, of: &lie.tale.played.start)
            }
            // A standby may end on another timeline, if a history leads there.
            lie.tale.history = []
            lie.mustFail = "the backup is of two timelines"
            return "timeline \(timeline) at the start or the end of the backup only"
        },
    ]
}

/// Rows that a server answers with.
enum Table: CaseIterable, Sendable {
    case identity, segmentSize, directoryMode, synchronousStandbyNames, start, end, tablespaces, createdSlot, readSlot
    case history, next, watched

    var path: WritableKeyPath<Tale, [[String?]]> {
        switch self {
        case .identity: \.played.identity
        case .segmentSize: \.played.segmentSize
        case .directoryMode: \.played.directoryMode
        case .synchronousStandbyNames: \.played.synchronousStandbyNames
        case .start: \.played.start
        case .end: \.played.end
        case .tablespaces: \.played.tablespaces
        case .createdSlot: \.createdSlot
        case .readSlot: \.readSlot
        case .history: \.history
        case .next: \.nextRows
        case .watched: \.watched
        }
    }

    func isAsked(by lie: Lie) -> Bool {
        switch self {
        case .start, .end, .tablespaces: lie.order.makesCopy
        case .createdSlot, .readSlot: lie.order.words.contains("mine") || lie.order.streamsWAL
        case .history, .next, .watched: lie.order.kind == .receive
        default: true
        }
    }
}

extension Tale {
    /// Rows of a timeline that ends, which it does when they are set.
    fileprivate var nextRows: [[String?]] {
        get { next ?? [["2", "0/3000100"]] }
        set { next = newValue }
    }
}

extension Lie {
    fileprivate mutating func change(_ table: Table, _ random: inout SplitMix64, _ around: Mutation.Around) -> String {
        var rows = tale[keyPath: table.path]
        let what: String
        let row = rows.isEmpty ? 0 : Int.random(in: 0..<rows.count, using: &random)
        guard !rows.isEmpty, let width = rows.map(\.count).min(), width > 0 else { return "\(table): nothing more" }
        switch Int.random(in: 0..<16, using: &random) {
        case 0:
            rows = []
            what = "no rows"
        case 1:
            rows += rows
            what = "all rows twice"
        case 2:
            rows[row].append(Values.any(&random))
            what = "a column more in row \(row)"
        case 3 where width > 1:
            rows[row].removeLast()
            what = "a column less in row \(row)"
        case 4 where width > 1:
            let left = Int.random(in: 0..<rows[row].count, using: &random),
                right = Int.random(in: 0..<rows[row].count, using: &random)
            rows[row].swapAt(left, right)
            what = "columns \(left) and \(right) exchanged in row \(row)"
        case 5:
            let count = [2, 100, 5000].randomElement(using: &random)!
            rows += Array(repeating: rows[row], count: count)
            what = "row \(row) \(count) times more"
        case 6 where rows.count > 1:
            rows.remove(at: row)
            what = "without row \(row)"
        case 7 where rows.count > 1:
            rows.reverse()
            what = "rows in reverse"
        case 8:
            let column = Int.random(in: 0..<rows[row].count, using: &random)
            rows[row][column] = nil
            what = "NULL in column \(column) of row \(row)"
        default:
            let column = Int.random(in: 0..<rows[row].count, using: &random)
            var value = Values.any(&random)
            if let old = rows[row][column], one(in: 2, &random) {
                // The right kind, and wrong.
                if old.contains("/"), !old.hasPrefix("/") {
                    value = Values.positions.randomElement(using: &random)!
                } else if !old.isEmpty, old.allSatisfy(\.isNumber) {
                    value = (Values.numbers + Values.timelines).randomElement(using: &random)!
                }
            }
            rows[row][column] = value
            what = "column \(column) of row \(row) is \(value.prefix(200))"
        }
        tale[keyPath: table.path] = rows
        return "\(table): \(what)"
    }
}
