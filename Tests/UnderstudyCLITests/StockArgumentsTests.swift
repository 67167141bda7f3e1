import Testing

@testable import UnderstudyCLI

@Suite("The getopt_long rules")
struct StockArgumentsTests {
    /// `a`, `b`: flags; `x`: a required value; `o`: an optional one behind the long name; two names for one option at the end.
    static let arguments = StockArguments(table: [
        StockOption("all", "a"),
        StockOption("bare", "b"),
        StockOption("wal-method", "x", .required),
        StockOption("waldir", nil, .required),
        StockOption("optional", "o", .optional),
        StockOption("old-name", nil, .required, as: "waldir"),
        StockOption("old-word", nil, .required, as: "waldir"),
    ])

    @Test(
        "options come out as --name or --name=value, in their order",
        arguments: [
            ([], [], []),
            (["-a"], ["--all"], []),
            (["-ab"], ["--all", "--bare"], []),
            (["-abxs"], ["--all", "--bare", "--wal-method=s"], []),
            (["-abx", "s"], ["--all", "--bare", "--wal-method=s"], []),
            (["-xs", "-xf"], ["--wal-method=s", "--wal-method=f"], []),
            (["-x=s"], ["--wal-method==s"], []),
            (["-x", "-a"], ["--wal-method=-a"], []),
            (["-x", "--"], ["--wal-method=--"], []),
            (["-x", ""], ["--wal-method="], []),
            (["-xé"], ["--wal-method=é"], []),
            (["-x\u{301}"], ["--wal-method=\u{301}"], []),
            (["--all"], ["--all"], []),
            (["--al"], ["--all"], []),
            (["--a"], ["--all"], []),
            (["--wal-method", "s"], ["--wal-method=s"], []),
            (["--wal-method=s"], ["--wal-method=s"], []),
            (["--wal-=s"], ["--wal-method=s"], []),
            (["--wal-method="], ["--wal-method="], []),
            (["--wal-method=a=b"], ["--wal-method=a=b"], []),
            (["--wal-method", "--all"], ["--wal-method=--all"], []),
            (["--wal-method", ""], ["--wal-method="], []),
            (["--old-name=/w"], ["--waldir=/w"], []),
            (["--old-", "/w"], ["--waldir=/w"], []),
            (["-o"], ["--optional"], []),
            (["-oa"], ["--optional", "--all"], []),
            (["-o", "z"], ["--optional"], ["z"]),
            (["--optional"], ["--optional"], []),
            (["--optional", "z"], ["--optional"], ["z"]),
            (["--optional=z"], ["--optional=z"], []),
            (["--opt=z"], ["--optional=z"], []),
            (["--optional="], ["--optional="], []),
            (["one", "-a", "two"], ["--all"], ["one", "two"]),
            (["-"], [], ["-"]),
            ([""], [], [""]),
            (["-a", "--", "-b", "--all"], ["--all"], ["-b", "--all"]),
            (["--", "--"], [], ["--"]),
        ])
    func rewrites(given: [String], options: [String], operands: [String]) throws {
        #expect(try Self.arguments.normalise(given) == .init(options: options, operands: operands))
    }

    @Test(
        "what getopt refuses is refused in its words",
        arguments: [
            (["-q"], "invalid option -- 'q'"),
            (["-aq"], "invalid option -- 'q'"),
            (["-ax"], "option requires an argument -- 'x'"),
            (["--foo"], "unrecognized option '--foo'"),
            (["--foo=1"], "unrecognized option '--foo=1'"),
            (["--ALL"], "unrecognized option '--ALL'"),
            (["--wal"], "option '--wal' is ambiguous; possibilities: '--wal-method' '--waldir'"),
            (["--wal=s"], "option '--wal=s' is ambiguous; possibilities: '--wal-method' '--waldir'"),
            (["-oz"], "invalid option -- 'z'"),
            (["--all=1"], "option '--all' doesn't allow an argument"),
            (["--al=1"], "option '--all' doesn't allow an argument"),
            (["--waldir"], "option '--waldir' requires an argument"),
            (["--wald"], "option '--waldir' requires an argument"),
        ])
    func refuses(given: [String], message: String) {
        #expect(throws: StockArguments.Refusal(message: message)) { try Self.arguments.normalise(given) }
    }

    @Test("of a line that is refused, the other words are understood")
    func understood() {
        let options = Self.arguments.understood(["-q", "--opt=z", "--foo", "-x", "-", "-aq", "--", "--all"])
        #expect(options.given.map(\.name) == ["optional", "wal-method", "all"])
        #expect(options.given.map(\.value) == ["z", "-", nil])
    }

    @Test("an option of ours takes no abbreviation away from the stock tool's")
    func ownOptions() throws {
        let arguments = StockArguments(table: [
            StockOption("format", nil, .required), StockOption("force-clean", isOwn: true),
            StockOption("force-more", isOwn: true),
        ])
        #expect(try arguments.normalise(["--fo=p", "--force-c"]).options == ["--format=p", "--force-clean"])
        let refusal = StockArguments.Refusal(
            message: "option '--forc' is ambiguous; possibilities: '--force-clean' '--force-more'")
        #expect(throws: refusal) { try arguments.normalise(["--forc"]) }
    }

    @Test(
        "where no stock tool is replaced, an abbreviation prefers nothing",
        arguments: [
            (
                "--no",
                "'--no-password' '--no-server-logs' '--no-slot' '--no-clean' '--no-sync' '--no-verify-checksums'"
            ), ("--pass", "'--password' '--passfile'"),
        ])
    func clone(given: String, names: String) {
        let refusal = StockArguments.Refusal(message: "option '\(given)' is ambiguous; possibilities: \(names)")
        #expect(throws: refusal) { try StockArguments(.clone).normalise([given, "x"]) }
    }

    @Test("nothing means something else when a command line is cut short anywhere")
    func prefixes() throws {
        let whole = ["-ab", "--wal-method=s", "-x", "f", "--all", "operand"]
        let tokens = try Self.arguments.normalise(whole)
        for count in whole.indices where count != 3 {
            let part = try Self.arguments.normalise(Array(whole[..<count]))
            #expect(Array(tokens.options.prefix(part.options.count)) == part.options)
        }
    }
}
