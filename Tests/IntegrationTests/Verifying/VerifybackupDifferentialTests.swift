import Foundation
import Testing
import UnderstudyTestSupport

/// Our program under the name pg_verifybackup, beside the stock one: the same backups, damaged in the same way.
@Suite(.disabled(if: isStock)) struct VerifybackupDifferentialTests {
    /// A backup of a cluster with a tablespace, of which copies are damaged.
    private struct Bench {
        let cluster: Cluster
        let original: String
        let tablespace: String
        let place: String

        init(_ installation: PostgresInstallation) throws {
            var options = Cluster.Options()
            options.walSegmentMegabytes = 1
            cluster = try Cluster(installation, options)
            _ = try cluster.makeTablespace("space")
            tablespace = try cluster.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'space'")
            place = try TestDirectory.make("verified", mode: 0o755)
            original = "\(place)/original"
            let location = try cluster.sql("SELECT pg_tablespace_location(\(tablespace))")
            let result = try basebackup(cluster, to: original, ["-T", "\(location)=\(place)/space"])
            try #require(result.status == 0, "\(result)")
            try FileManager.default.createSymbolicLink(
                atPath: "\(place)/pg_verifybackup", withDestinationPath: UnderstudyProgram.path)
        }

        /// A fresh copy; its tablespace is the one of the original.
        func makeCopy() throws -> String {
            let copy = "\(place)/copy"
            // What was locked has to be removed, too.
            try Program.check("/bin/rm", ["-rf", copy, "\(place)/space"], asCaller: true)
            try Program.check("/bin/cp", ["-a", original, copy], asCaller: true)
            try Program.check("/bin/cp", ["-a", "\(place)/space.kept", "\(place)/space"], asCaller: true)
            return copy
        }

        func keepTablespace() throws {
            try Program.check("/bin/cp", ["-a", "\(place)/space", "\(place)/space.kept"], asCaller: true)
        }

        func run(isStock: Bool, _ words: [String]) throws -> Verdict {
            let path = isStock ? cluster.installation.program("pg_verifybackup") : "\(place)/pg_verifybackup"
            let environment = ["LC_ALL": "C"].merging(UnderstudyProgram.environment) { $1 }
            return Verdict(try Program(path, words, environment: environment).wait())
        }
    }

    /// What a caller sees; lines in no order, since that of directories is any.
    private struct Verdict: Equatable {
        var status: Int32
        var output: [String]
        var errors: [String]

        init(_ result: ProgramResult) {
            status = result.status
            output = result.output.split(separator: "\n").map(String.init)
            // What pg_waldump says of WAL that is not sound, and how it was called.
            errors = result.errorOutput.split(separator: "\n").map(String.init).filter {
                !$0.hasPrefix("pg_waldump: ") && !$0.hasPrefix("Try \"")
                    && !$0.hasPrefix("pg_verifybackup: hint: Try \"")
            }.map(Self.newest).sorted()
        }

        /// The words of 18 for what older versions say in others: see docs/guide/verifybackup.md.
        private static func newest(_ line: String) -> String {
            line.replacing("pg_verifybackup: fatal: ", with: "pg_verifybackup: error: ")
                .replacing(" is not a file or directory", with: " is not a regular file or directory")
                // The stock tool prints characters that a terminal obeys, and ends at a zero.
                .replacing("\\x00", with: "")
                .unicodeScalars.map {
                    $0.value < 32 ? "\\x\($0.value < 16 ? "0" : "")\(String($0.value, radix: 16))" : "\($0)"
                }
                .joined()
        }

        /// Without hints and details of our own, of which callers of the stock tool know nothing.
        func withoutOwnLines(comparedWith other: Verdict) -> Verdict {
            var verdict = self
            // 15 and 16 do not say what is wrong with JSON.
            let unexplained = "pg_verifybackup: error: could not parse backup manifest: parsing failed"
            if other.errors == [unexplained] {
                verdict.errors = verdict.errors.map {
                    $0.hasPrefix("pg_verifybackup: error: could not parse backup manifest: ") ? unexplained : $0
                }
            }
            verdict.errors.removeAll { line in
                !other.errors.contains(line)
                    && ["hint: ", "detail: "].contains { line.hasPrefix("pg_verifybackup: \($0)") }
            }
            return verdict
        }
    }

    private static let options: [[String]] = [
        [], [], [], ["-s"], ["-n"], ["-q"], ["-e"], ["-i", "global"], ["-q", "-s", "-n"],
    ]

    @Test(arguments: PostgresInstallation.all)
    func `damaged backups get the verdict of the stock tool`(installation: PostgresInstallation) throws {
        let bench = try Bench(installation)
        try bench.keepTablespace()
        var generator = Seed.Generator(state: Seed.ofComparison)
        let kinds = BackupMutator.Kind.allCases
        for round in 0..<Seed.rounds(short: 32, thorough: 300) {
            let copy = try bench.makeCopy()
            var mutator = BackupMutator(directory: copy, tablespace: bench.tablespace, generator: generator)
            let done = try mutator.damage(kinds[round % kinds.count])
            generator = mutator.generator
            // From 18 on, a backup without PG_VERSION counts as one of archives.
            let format = installation.major >= 18 ? ["-F", "p"] : []
            let words = Self.options.randomElement(using: &generator)! + format + [copy]
            let expected = try bench.run(isStock: true, words)
            let found = try bench.run(isStock: false, words).withoutOwnLines(comparedWith: expected)
            let what = "seed \(Seed.ofComparison), round \(round): \(done); \(words.dropLast())"
            if expected.status != 0, expected.errors.isEmpty {
                // It printed bytes that are no text.
                #expect(found.status == expected.status && !found.errors.isEmpty, "\(what): \(found)")
            } else if words.contains("-e"), expected.status != 0 {
                // Which error is the first depends on the order of a directory.
                let all = try bench.run(isStock: true, words.filter { $0 != "-e" })
                #expect(
                    found.status == expected.status && found.errors.allSatisfy(all.errors.contains), "\(what): \(found)"
                )
            } else {
                #expect(found == expected, "\(what)")
            }
        }
    }
}
