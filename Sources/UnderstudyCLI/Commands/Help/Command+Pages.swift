extension Command {
    /// Each command that has a manual page, subcommands behind the one that they belong to.
    static let withPages = all.flatMap { [$0] + $0.subcommands }

    /// The last word of its name.
    var word: String { name.split(separator: " ").last.map(String.init) ?? name }
}
