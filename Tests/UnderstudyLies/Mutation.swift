import UnderstudyTestSupport

/// One way to lie.
struct Mutation: Sendable {
    /// How often it is taken, beside the others.
    var weight: Int
    var applies: @Sendable (Lie) -> Bool
    /// Changes a lie, and says what is false in it now.
    var apply: @Sendable (inout Lie, inout SplitMix64, Around) -> String

    init(
        _ weight: Int, for applies: @escaping @Sendable (Lie) -> Bool = { _ in true },
        _ apply: @escaping @Sendable (inout Lie, inout SplitMix64, Around) -> String
    ) {
        self.weight = weight
        self.applies = applies
        self.apply = apply
    }

    /// What is there beside the copy, for lies to point at.
    struct Around: Sendable {
        var place: Place
        /// The port of a server that nobody should connect to.
        var stranger: Int
        /// A process that nobody should signal.
        var bystander: Int32
    }

    static let all: [Mutation] = rows + logins + archives + manifests + streams + wire

    static func pick(for lie: Lie, _ random: inout SplitMix64) -> Mutation {
        let fitting = all.filter { $0.applies(lie) }
        var rest = Int.random(in: 0..<fitting.reduce(0) { $0 + $1.weight }, using: &random)
        return fitting.first { mutation in
            rest -= mutation.weight
            return rest < 0
        }!
    }
}

/// Sets a field, where an earlier lie has left it in its place.
func set(_ value: String?, at row: Int, _ column: Int, of rows: inout [[String?]]) {
    if rows.indices.contains(row), rows[row].indices.contains(column) { rows[row][column] = value }
}
