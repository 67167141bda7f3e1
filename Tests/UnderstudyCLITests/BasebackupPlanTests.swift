import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("The command line of basebackup")
struct BasebackupPlanTests {
    private func plan(
        _ line: String, as personality: Personality = .understudy
    ) throws -> BasebackupPlan {
        let words = line.split(separator: " ").map(String.init)
        guard case .run(let plan) = try BasebackupPlan.read(words, as: personality) else {
            throw UsageError("not a backup")
        }
        return plan
    }

    @Test("the tutorial's command line means what it says")
    func tutorial() throws {
        let plan = try plan("-U r -h 10.0.0.1 --format=plain -vxP -D /var/lib/postgresql/9.3/main")
        #expect(plan.target == .directory("/var/lib/postgresql/9.3/main"))
        #expect(plan.options.wal == .fetch)
        #expect(plan.options.slot == .none)
        #expect(plan.progress == .stock && plan.verbose)
        #expect(plan.connection.source.text == "")
        #expect(
            plan.connection.source.overrides == [
                "fallback_application_name": "understudy", "host": "10.0.0.1", "user": "r",
            ])
        #expect(plan.connection.password == .onDemand)
    }

    @Test("the number of connections is told, or left to be chosen")
    func jobs() throws {
        #expect(try plan("-D d").options.connections == .one)
        #expect(try plan("-D d -j 4").options.connections == .parallel(4))
        #expect(try plan("-D d --jobs=auto").options.connections == .automatic)
        for text in ["0", "65", "many", "Auto"] {
            #expect(throws: UsageError.self) { try plan("-D d --jobs \(text)") }
        }
    }

    @Test("without options the defaults are the stock tool's")
    func defaults() throws {
        let options = try plan("-D d", as: .baseBackup).options
        #expect(options.label == "pg_basebackup base backup")
        #expect(options.wal == .stream)
        #expect(options.checkpoint == .spread)
        #expect(options.slot == .temporary)
        #expect(options.maxRate == nil)
        #expect(options.walDirectory == nil)
        #expect(options.manifest && options.manifestChecksum == .crc32c && !options.manifestForceEncode)
        #expect(options.verifyServerChecksums && options.estimateSize && options.sync && options.cleanUp)
        #expect(options.statusInterval == .seconds(10))
        #expect(!options.writeRecoverySettings)
        #expect(try plan("-D d").options.label == "understudy base backup")
    }

    @Test("each option arrives in the library's options")
    func everyOption() throws {
        let plan = try plan(
            """
            --pgd=d -Fp -Xs -R -S s1 -C -r 2M -T /a=/b -T /c=/d --waldir /w -cFAST -l label -n -N -P -v -s 0 \
            --no-verify-checksums --manifest-checksums=sha256 --manifest-force-encode -d service=x -p 5433 -Z none \
            -t client --sync-method=fsync
            """)
        let options = plan.options
        #expect(options.wal == .stream)
        #expect(options.writeRecoverySettings)
        #expect(options.slot == .create("s1"))
        #expect(options.syncMethod == .fsync)
        #expect(options.maxRate == .megabytesPerSecond(2))
        #expect(options.tablespaceMappings == [.init(from: "/a", to: "/b"), .init(from: "/c", to: "/d")])
        #expect(options.walDirectory == "/w")
        #expect(options.checkpoint == .fast)
        #expect(options.label == "label")
        #expect(!options.cleanUp && !options.sync)
        #expect(options.statusInterval == .zero)
        #expect(!options.verifyServerChecksums)
        #expect(options.manifestChecksum == .sha256 && options.manifestForceEncode)
        #expect(plan.connection.source.text == "service=x")
        #expect(plan.connection.source.overrides["port"] == "5433")
        #expect(try !self.plan("-D d --no-manifest").options.manifest)
        #expect(try !self.plan("-D d --no-estimate-size").options.estimateSize)
        #expect(try self.plan("-D d -S s1").options.slot == .existing("s1"))
        #expect(try self.plan("-D d --no-slot").options.slot == .none)
        #expect(try self.plan("-D d --fo=p --st=7").options.statusInterval == .seconds(7))
        #expect(try self.plan("-D d --xlogdir=/w --xlog-method=fetch").options.walDirectory == "/w")
    }

    @Test(
        "the WAL method has long, short and old names",
        arguments: [
            ("-X none", BaseBackup.WALMethod.none), ("-Xn", .none), ("-X f", .fetch), ("-Xfetch", .fetch),
            ("--wal-method=s", .stream), ("--xlog-method stream", .stream), ("-x", .fetch), ("--xlog", .fetch),
            ("-Xf -Xs", .stream),
        ])
    func walMethods(option: String, expected: BaseBackup.WALMethod) throws {
        #expect(try plan("-D d \(option)").options.wal == expected)
    }

    @Test("the later of -w and -W counts")
    func passwordPolicy() throws {
        #expect(try plan("-D d -w").connection.password == .never)
        #expect(try plan("-D d -W").connection.password == .always)
        #expect(try plan("-D d -w -W").connection.password == .always)
        #expect(try plan("-D d -Ww").connection.password == .never)
    }

    static let seeHelp = "Try \"pg_basebackup --help\" for more information."

    @Test(
        "options that do not fit together are refused in the stock tool's words, with a pointer to the help",
        arguments: [
            ("", "must specify output directory or backup target"),
            ("-t client", "must specify output directory or backup target"),
            ("-D d -t server:/b", "cannot specify both output directory and backup target"),
            ("-t server:/b -F t", "cannot specify both format and backup target"),
            ("-t server:/b -F p -D d", "cannot specify both format and backup target"),
            ("-t blackhole", "WAL cannot be streamed when a backup target is specified"),
            ("-t blackhole -X stream", "WAL cannot be streamed when a backup target is specified"),
            (
                "-t blackhole -Z client-gzip",
                "client-side compression is not possible when a backup target is specified"
            ),
            (
                "-t blackhole -X none --waldir=/w",
                "WAL directory location cannot be specified along with a backup target"
            ),
            ("-D d -z", "only tar mode backups can be compressed"),
            ("-D d -Z 9", "only tar mode backups can be compressed"),
            ("-D d -Z client-zstd", "only tar mode backups can be compressed"),
            ("-D d -F t --waldir=/w", "WAL directory location can only be specified in plain mode"),
            ("-D=", nil),
            ("-D d a b", "too many command-line arguments (first is \"a\")"),
            ("-D d -X none -S a", "replication slots can only be used with WAL streaming"),
            ("-D d -X fetch -S a", "replication slots can only be used with WAL streaming"),
            ("-D d -x -C -S a", "replication slots can only be used with WAL streaming"),
            ("-D d -C", "--create-slot needs a slot to be specified using --slot"),
            ("-D d -C --no-slot", "--create-slot needs a slot to be specified using --slot"),
            ("-D d -C --no-slot -S a", "--no-slot cannot be used with slot name"),
            ("-D d -S a --no-slot", "--no-slot cannot be used with slot name"),
            ("-D d --waldir=rel", "WAL directory location must be an absolute path"),
            ("-D d -P --no-estimate-size", "--progress and --no-estimate-size are incompatible options"),
            (
                "-D d --no-manifest --manifest-checksums=none",
                "--no-manifest and --manifest-checksums are incompatible options"
            ),
            (
                "-D d --no-manifest --manifest-force-encode",
                "--no-manifest and --manifest-force-encode are incompatible options"
            ),
            ("-D d -x -X stream", "cannot specify both --xlog and --wal-method"),
        ] as [(String, String?)])
    func misuse(line: String, message: String?) throws {
        guard let message else {
            #expect(try plan(line, as: .baseBackup).target == .directory("="))
            return
        }
        #expect(throws: UsageError(message, hint: Self.seeHelp)) { try plan(line, as: .baseBackup) }
    }

    @Test(
        "values that mean nothing are refused in the stock tool's words",
        arguments: [
            ("-D d -X foo -F x", "invalid wal-method option \"foo\", must be \"fetch\", \"stream\", or \"none\""),
            ("-D d -F x", "invalid output format \"x\", must be \"plain\" or \"tar\""),
            ("-D d -X foo", "invalid wal-method option \"foo\", must be \"fetch\", \"stream\", or \"none\""),
            ("-D d -c foo", "invalid checkpoint argument \"foo\", must be \"fast\" or \"spread\""),
            ("-D d -s foo", "invalid value \"foo\" for option -s/--status-interval"),
            ("-D d -s -1", "-s/--status-interval must be in range 0..2147483"),
            ("-D d --sync-method=x", "unrecognized sync method: x"),
        ])
    func badValues(line: String, message: String) {
        #expect(throws: UsageError(message)) { try plan(line) }
    }

    @Test("only tar format can go to standard output, but through the link")
    func standardOutput() {
        let error = #expect(throws: UsageError.self) { try plan("-D -") }
        #expect(error?.message == "only tar format can go to standard output")
        #expect(error?.hint != nil)
    }

    @Test(
        "a specification of compression says who compresses; what the server does is not judged",
        arguments: [
            ("-D d", .none), ("-D d -Z 0", .none), ("-D d -Z none", .none), ("-D d -F t -Z client-none", .none),
            ("-D d -F t -z", .client(.gzip())), ("-D d -F t -Z 4", .client(.gzip(level: 4))),
            ("-D d -F t -z -Z lz4", .client(.lz4())), ("-D d -F t -Z lz4 -z", .client(.gzip())),
            ("-D d -F t -Z client-lz4:12", .client(.lz4(level: 12))),
            ("-D d -F t -Z zstd:-5", .client(.zstd(level: -5))),
            ("-D d -F t -Z zstd:level=9,workers=3,long", .client(.zstd(level: 9), workers: 3, longDistance: true)),
            ("-D d -F t -Z zstd:workers=0,long=off", .client(.zstd(), workers: 0)),
            ("-D d -Z server-gzip", .server(method: "gzip")),
            ("-D d -F t -Z server-brotli:x=9,y", .server(method: "brotli", detail: "x=9,y")),
            ("-D d -Z server-7", .server(method: "gzip", detail: "7")),
            ("-D d -Z server-none", .server(method: "none")),
            ("-t blackhole -X none", .none), ("-t blackhole -X none -z", .server(method: "gzip")),
            ("-t blackhole -X none -Z lz4:1", .server(method: "lz4", detail: "1")),
        ] as [(String, BaseBackup.ArchiveCompression)])
    func compression(line: String, expected: BaseBackup.ArchiveCompression) throws {
        #expect(try plan(line).options.compression == expected)
    }

    @Test(
        "what the client cannot do is refused in the stock tool's words",
        arguments: [
            ("foo", "unrecognized compression algorithm: \"foo\""),
            ("client-Gzip", "unrecognized compression algorithm: \"Gzip\""),
            (
                "zstd:23",
                "invalid compression specification: compression algorithm \"zstd\" expects a compression level between -131072 and 22 (default at 3)"
            ),
            (
                "lz4:workers=1",
                "invalid compression specification: compression algorithm \"lz4\" does not accept a worker count"
            ),
            (
                "gzip:long",
                "invalid compression specification: compression algorithm \"gzip\" does not support long-distance mode"
            ),
            (
                "zstd:long=maybe",
                "invalid compression specification: value for compression option \"long\" must be a Boolean value"
            ),
        ])
    func badCompression(text: String, message: String) {
        for format in ["", " -F t"] {
            let error = #expect(throws: UsageError.self) { try plan("-D d\(format) -Z \(text)") }
            #expect(error?.message == message)
        }
    }

    @Test("the archive of WAL is compressed as the others, but through the link only by gzip here")
    func compressedWAL() throws {
        for method in ["gzip", "lz4", "zstd", "server-gzip"] {
            #expect(try plan("-D d -F t -Z \(method)").options.compressesWAL)
            #expect(try plan("-D d -F t -Z \(method)", as: .baseBackup).options.compressesWAL == (method == "gzip"))
        }
    }

    @Test("a target is the server's affair")
    func serverTarget() throws {
        #expect(try plan("-t server:/a:b -X fetch").target == .server("server", detail: "/a:b"))
        #expect(try plan("-t blackhole -X none").target == .server("blackhole"))
        #expect(try plan("-t shell: -X none").target == .server("shell", detail: ""))
        #expect(try plan("-t client -D d").target == .directory("d"))
        #expect(try plan("-D d -i /b/backup_manifest").options.incrementalManifest == "/b/backup_manifest")
    }

    @Test("tar format has no directories to choose; through the link -T changes nothing there, as with the stock tool")
    func tarFormat() throws {
        #expect(try plan("-D d").target == .directory("d"))
        for word in ["t", "tar"] { #expect(try plan("-D d -F \(word)").target == .tarFiles("d")) }
        #expect(try plan("-D - -F t --spool-directory /var/spool").target == .tarStream(1))
        #expect(try plan("-D - -F t --spool-directory /s").options.spoolDirectory == "/s")
        let spool = #expect(throws: UsageError.self) { try plan("-D d -F t --spool-directory /s") }
        #expect(spool?.message == "--spool-directory is for an archive on standard output")
        // The stock tool makes a directory of that name.
        #expect(try plan("-D -", as: .baseBackup).target == .directory("-"))
        for personality in [Personality.understudy, .baseBackup] {
            let error = #expect(throws: UsageError.self) { try plan("-D d -F t --waldir /w", as: personality) }
            #expect(error?.message == "WAL directory location can only be specified in plain mode")
        }
        let error = #expect(throws: UsageError.self) { try plan("-D d -F t -T /a=/b") }
        #expect(error?.message == "tablespaces can be mapped to directories only in plain mode")
        #expect(try plan("-D d -F t -T /a=/b", as: .baseBackup).options.tablespaceMappings.isEmpty)
    }

    @Test("holes are left if asked, in plain format, and through the link there is no such option")
    func sparse() throws {
        #expect(try !plan("-D d").options.leavesHoles)
        #expect(try plan("-D d --sparse").options.leavesHoles)
        for line in ["-D d -F t --sparse", "-D - -F t --sparse", "-t blackhole -X none --sparse"] {
            let error = #expect(throws: UsageError.self) { try plan(line) }
            #expect(error?.message == "--sparse is for plain format: an archive holds every byte")
        }
        for word in ["--sparse", "--spars"] {
            let error = #expect(throws: UsageError.self) { try plan("-D d \(word)", as: .baseBackup) }
            #expect(error?.message == "unrecognized option '\(word)'")
        }
    }

    @Test("an unknown option is getopt's complaint")
    func unknown() {
        let error = #expect(throws: UsageError.self) { try plan("-D d --nonsense") }
        #expect(error?.message == "unrecognized option '--nonsense'")
        #expect(error?.hasStockWording == true)
        #expect(error?.hint == "Try \"understudy basebackup --help\" for more information.")
    }

    @Test("the stock tool's ambiguities are ambiguous here")
    func ambiguous() {
        let error = #expect(throws: UsageError.self) { try plan("-D d --no-s") }
        #expect(error?.message == "option '--no-s' is ambiguous; possibilities: '--no-sync' '--no-slot'")
    }

    @Test(
        "help and version win over everything else, whichever comes first",
        arguments: [
            (["--help"], "help"), (["-?"], "help"), (["-D", "d", "--help", "-V"], "help"), (["-V"], "version"),
            (["-vV?"], "version"), (["--vers"], "version"),
        ])
    func helpAndVersion(words: [String], expected: String) throws {
        let request = try BasebackupPlan.read(words, as: .understudy)
        switch request {
        case .help: #expect(expected == "help")
        case .version: #expect(expected == "version")
        case .run: Issue.record("a backup")
        }
    }
}
