import Testing
import UnderstudyTestSupport

@testable import UnderstudyConfiguration

struct LibpqKeywordTests {
    /// Debian's packages of servers share one libpq, which may be a newer one.
    private static let installations = PostgresInstallation.all.filter {
        FileTree.exists("\($0.programs)/../lib/libpq.so.5")
    }

    /// Whether the libpq of an installation reads a connection string with these keywords.
    private func reads(_ keywords: [String], _ installation: PostgresInstallation) throws -> Bool {
        let words = ["host=/nonexistent"] + keywords.filter { $0 != "host" }.map { "\($0)=''" }
        let result = try Program.run(installation.program("psql"), ["-X", "-w", words.joined(separator: " ")])
        #expect(result.status == 2, "\(result)")
        return !result.errorOutput.contains("invalid connection option")
    }

    @Test(arguments: installations)
    func `the table has the keywords of each libpq that is here`(installation: PostgresInstallation) throws {
        let version = installation.major * 10_000
        let known = LibpqKeyword.all.filter { LibpqKeyword.isKnown($0, serverVersion: version) }
        #expect(known.count >= 30)
        #expect(try reads(known, installation), "\(known)")
        for keyword in LibpqKeyword.all where !known.contains(keyword) {
            #expect(try !reads([keyword], installation), "\(keyword)")
        }
    }
}
