import Testing

@testable import UnderstudyCLI

/// The options of the stock tools, version by version, from their manuals.
@Suite struct StockOptionTests {
    struct Row: Equatable, CustomStringConvertible {
        var name: String
        var short: String
        var hasValue: Bool
        var first: Int
        /// The first version without it.
        var end: Int?

        init(_ name: String, _ short: String = "", value: Bool = false, since first: Int = 90300, until end: Int? = nil)
        {
            (self.name, self.short, hasValue, self.first, self.end) = (name, short, value, first, end)
        }

        var description: String { "--\(name)" }
    }

    static let baseBackup = [
        Row("pgdata", "D", value: true), Row("format", "F", value: true), Row("label", "l", value: true),
        Row("verbose", "v"), Row("version", "V"), Row("help", "?"), Row("host", "h", value: true),
        Row("port", "p", value: true), Row("username", "U", value: true), Row("no-password", "w"), Row("password", "W"),
        Row("status-interval", "s", value: true), Row("checkpoint", "c", value: true), Row("dbname", "d", value: true),
        Row("write-recovery-conf", "R"), Row("xlog", "x", until: 100_000), Row("wal-method", "X", value: true),
        Row("progress", "P"), Row("max-rate", "r", value: true, since: 90400),
        Row("tablespace-mapping", "T", value: true, since: 90400), Row("waldir", value: true, since: 90400),
        Row("slot", "S", value: true, since: 90600), Row("no-slot", since: 100_000),
        Row("no-clean", "n", since: 100_000),
        Row("no-sync", "N", since: 100_000), Row("create-slot", "C", since: 110_000), Row("gzip", "z"),
        Row("compress", "Z", value: true), Row("no-verify-checksums", since: 110_000),
        Row("no-estimate-size", since: 130_000), Row("no-manifest", since: 130_000),
        Row("manifest-checksums", value: true, since: 130_000), Row("manifest-force-encode", since: 130_000),
        Row("target", "t", value: true, since: 150_000), Row("incremental", "i", value: true, since: 170_000),
        Row("sync-method", value: true, since: 170_000),
    ]

    @Test func `pg_basebackup has these options, and ours has all of them`() {
        let own = Command.basebackup.options.compactMap { option -> Row? in
            option.stock.map {
                Row(
                    option.name, option.short.map(String.init) ?? "", value: option.value != .none, since: $0.first,
                    until: $0.end)
            }
        }
        #expect(Self.sorted(own) == Self.sorted(Self.baseBackup))
    }

    /// Names that an option had once.
    @Test(arguments: [("--xlog-method=fetch", "wal-method"), ("--xlogdir=/w", "waldir")])
    func `older names are taken`(word: String, name: String) throws {
        let normalised = try StockArguments(.basebackup).normalise(["-D", "d", word])
        #expect(normalised.options.contains { $0.hasPrefix("--\(name)=") })
    }

    @Test(arguments: Command.all.map(\.name), [Personality.understudy, .baseBackup])
    func `no line of the help is longer than 80 columns`(name: String, personality: Personality) throws {
        let text = try #require(Command.named(name)).helpText(as: personality)
        #expect(text.split(separator: "\n").filter { $0.count > 80 } == [])
    }

    private static func sorted(_ rows: [Row]) -> [Row] { rows.sorted { $0.name < $1.name } }
}

@Suite struct MessageColorsTests {
    private func colors(
        _ variables: [String: String], isTerminal: Bool = false, isStock: Bool = false
    ) -> MessageColors {
        MessageColors({ variables[$0] }, isTerminal: isTerminal, isStock: isStock)
    }

    @Test func `colors are those of the stock programs, where they are wanted`() {
        let red = "\u{1B}[01;31merror: \u{1B}[0m"
        #expect(colors(["PG_COLOR": "always"]).paint("error: ", .error) == red)
        #expect(colors(["PG_COLOR": "auto", "TERM": "xterm"], isTerminal: true).paint("error: ", .error) == red)
        #expect(
            colors(["PG_COLOR": "always", "PG_COLORS": "error=1;32:note=4"]).paint("x", .error)
                == "\u{1B}[1;32mx\u{1B}[0m")
        #expect(colors(["PG_COLOR": "always", "PG_COLORS": "error=1;32:note=4"]).paint("x", .warning) == "x")
        // Nothing but numbers gets into an escape sequence.
        #expect(colors(["PG_COLOR": "always", "PG_COLORS": "error=1m\u{1B}]0;evil"]).paint("x", .error) == "x")
    }

    /// On a terminal under the program's own name, and through a link.
    @Test(
        arguments: [
            ([:], false, false), (["PG_COLOR": "never", "TERM": "xterm"], false, false),
            (["PG_COLOR": "always"], true, true), (["PG_COLOR": "always", "NO_COLOR": "1"], true, true),
            (["PG_COLOR": "always", "TERM": "dumb"], false, true),
            (["PG_COLOR": "auto", "TERM": "xterm"], true, true),
            (["PG_COLOR": "auto", "TERM": "xterm", "NO_COLOR": ""], true, true),
            (["PG_COLOR": "auto", "TERM": "xterm", "NO_COLOR": "1"], false, true),
            (["PG_COLOR": "auto", "TERM": "dumb"], false, true), (["PG_COLOR": "auto", "TERM": ""], false, true),
            (["PG_COLOR": "auto"], false, true),
        ] as [([String: String], Bool, Bool)])
    func `only the program's own name heeds NO_COLOR and TERM`(
        variables: [String: String], isColored: Bool, isColoredThroughLink: Bool
    ) {
        #expect((colors(variables, isTerminal: true) != MessageColors()) == isColored)
        #expect((colors(variables, isTerminal: true, isStock: true) != MessageColors()) == isColoredThroughLink)
    }

    @Test(arguments: [false, true])
    func `off a terminal there are none unless they are asked for in any case`(isStock: Bool) {
        #expect(colors(["PG_COLOR": "auto", "TERM": "xterm"], isStock: isStock) == MessageColors())
        #expect(colors(["PG_COLOR": "always"], isStock: isStock) != MessageColors())
    }
}
