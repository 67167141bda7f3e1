import Testing
import UnderstudyConfiguration

@Suite struct PreflightTests {
    @Test(
        "a path is inside a directory by its parts, not by its letters",
        arguments: [
            ("/data", "/data", true), ("/data/x", "/data", true), ("/data/", "/data", true),
            ("/database", "/data", false),
            ("/data", "/data/x", false), ("//data//x/", "/data", true), ("/a/../data/x", "/data", true),
            ("/data/../x", "/data", false), ("/data/./x", "/data/.", true), ("/../data", "/data", true),
            ("/x", "/", true), ("data/x", "/data", false), ("data/x", "data", true), ("/data/x", "data", false),
            ("../x", "..", true), ("a/../../x", "..", true), ("/data/..x", "/data", true),
        ])
    func inside(path: String, directory: String, expected: Bool) {
        #expect(pathIsInside(path, directory) == expected)
    }

    @Test(
        "wal_level must do for replication, and for queries on the standby",
        arguments: [
            ("minimal", 90_300, "too low for replication", "hot_standby"),
            ("minimal", 150_018, "too low for replication", "replica"),
            ("archive", 90_500, "answers queries", "hot_standby"),
            ("hot_standby", 90_300, nil, ""), ("logical", 90_400, nil, ""), ("replica", 90_600, nil, ""),
            ("logical", 190_000, nil, ""), ("unheard-of", 210_000, nil, ""),
        ] as [(String, Int, String?, String)])
    func walLevel(level: String, serverVersion: Int, message: String?, needed: String) {
        let findings = Preflight.walLevel(level, serverVersion: serverVersion)
        #expect(findings.count == (message == nil ? 0 : 1))
        if let message, let finding = findings.first {
            #expect(finding.message.contains(message) && finding.message.contains("\"\(level)\""))
            #expect(finding.hint?.contains("wal_level = \(needed)") == true)
        }
    }

    @Test("level archive is enough for a backup alone")
    func archive() {
        #expect(Preflight.walLevel("archive", serverVersion: 90_300, hotStandby: false).isEmpty)
        #expect(!Preflight.walLevel("minimal", serverVersion: 90_300, hotStandby: false).isEmpty)
    }

    @Test(
        "the WAL directory is absolute, and neither inside the data directory nor around it",
        arguments: [
            ("/wal", nil), ("/database", nil), ("wal", "not an absolute path"), ("", "not an absolute path"),
            ("/data", "overlaps"), ("/data/wal", "overlaps"), ("/x/../data/wal", "overlaps"), ("/", "overlaps"),
        ] as [(String, String?)])
    func walDirectory(directory: String, message: String?) {
        let findings = Preflight.walDirectory(directory, dataDirectory: "/data")
        #expect(findings.count == (message == nil ? 0 : 1))
        if let message { #expect(findings.first?.message.contains(message) == true) }
    }

    static func moves(_ pairs: [(String, String)]) -> [TablespaceMove] {
        pairs.map { TablespaceMove(from: $0, to: $1) }
    }

    @Test(
        "tablespace mappings are absolute, once each, and apart from all else",
        arguments: [
            ([("/a", "/x"), ("/b", "/y")], []),
            ([("a", "/x")], [#""a" is not an absolute"#]),
            ([("/a", "x")], [#""x" is not an absolute"#]),
            ([("", "")], ["not an absolute", "not an absolute"]),
            ([("/a", "/x"), ("/a/", "/y")], ["mapped twice"]),
            ([("/a", "/x"), ("/b", "/x")], [#"overlaps the tablespace directory "/x""#]),
            ([("/a", "/x"), ("/b", "/x/y")], ["overlaps the tablespace directory"]),
            ([("/a", "/x/y"), ("/b", "/x")], ["overlaps the tablespace directory"]),
            ([("/a", "/data/x")], ["overlaps the data directory"]),
            ([("/a", "/srv/../data")], ["overlaps the data directory"]),
            ([("/a", "/")], ["overlaps the data directory", "overlaps the WAL directory"]),
            ([("/a", "/wal/x")], ["overlaps the WAL directory"]),
            ([("/a", "/data2")], []),
        ] as [([(String, String)], [String])])
    func mappings(pairs: [(String, String)], messages: [String]) {
        let findings = Preflight.tablespaceMappings(Self.moves(pairs), dataDirectory: "/data", walDirectory: "/wal")
        #expect(findings.count == messages.count)
        #expect(zip(findings, messages).allSatisfy { $0.message.contains($1) }, "\(findings)")
        #expect(findings.allSatisfy { $0.hint != nil })
    }

    @Test(
        "each mapping has its tablespace, and tablespaces that stay in place do not collide",
        arguments: [
            (["/a"], [("/a/", "/x")], []),
            (["/a"], [("/b", "/x")], ["is unused"]),
            ([], [("/b", "/x")], ["is unused"]),
            (["/data/ts"], [], ["overlaps the data directory"]),
            (["/data/ts"], [("/data/ts", "/x")], []),
            (["/a", "/b"], [("/a", "/b/x")], ["overlaps the tablespace directory"]),
            (["pg_tblspc/16385"], [], []),
            (["/data/\u{301}x"], [], ["overlaps the data directory"]),
            (["/caf\u{e9}", "/cafe\u{301}"], [], []),
            (["/caf\u{e9}"], [("/cafe\u{301}", "/x")], ["is unused"]),
        ] as [([String], [(String, String)], [String])])
    func tablespaces(announced: [String], pairs: [(String, String)], messages: [String]) {
        let findings = Preflight.tablespaces(announced, mappings: Self.moves(pairs), dataDirectory: "/data")
        #expect(findings.count == messages.count)
        #expect(zip(findings, messages).allSatisfy { $0.message.contains($1) }, "\(findings)")
    }

    @Test("any number of tablespaces is compared, and each that overlaps another one is named once")
    func many() {
        // The most that a server may announce.
        let apart = (0..<10_000).map { "/ts/\($0 % 10)/\($0)" }
        #expect(Preflight.tablespaces(apart, mappings: [], dataDirectory: "/data", walDirectory: "/wal").isEmpty)
        let moves = apart.map { TablespaceMove(from: $0, to: "/new\($0)") }
        #expect(Preflight.tablespaceMappings(moves, dataDirectory: "/data").isEmpty)
        #expect(Preflight.tablespaces(apart, mappings: moves, dataDirectory: "/data").isEmpty)
        // All in the first one, and one in the last.
        let nested = ["/ts/"] + apart + ["/ts/9/9999/x", "/tsx", "/ts-"]
        let findings = Preflight.tablespaces(nested, mappings: [], dataDirectory: "/data")
        #expect(findings.count == 10_001)
        #expect(findings.first?.message == #"tablespace directory "/ts/0/0" overlaps the tablespace directory "/ts/""#)
        #expect(
            findings.last?.message
                == #"tablespace directory "/ts/9/9999/x" overlaps the tablespace directory "/ts/9/9999""#)
        let same = Preflight.tablespaces(Array(repeating: "/ts", count: 1000), mappings: [], dataDirectory: "/data")
        #expect(same.count == 999)
    }

    @Test("a finding reads as PostgreSQL's programs print it")
    func description() {
        #expect(Finding("a", detail: "B.", hint: "C.").description == "a\nDETAIL:  B.\nHINT:  C.")
        #expect(Finding("a").description == "a")
    }
}
