import Testing
import UnderstudyTestSupport

@Suite struct InstallationTests {
    @Test func `servers are found, and named in the output of the tests`() {
        let found = PostgresInstallation.all
        for installation in found { print("PostgreSQL \(installation.version): \(installation.programs)") }
        #expect(!found.isEmpty, "no PostgreSQL found: run scripts/setup")
    }

    @Test(arguments: PostgresInstallation.all)
    func `a cluster starts, answers, and leaves nothing behind`(installation: PostgresInstallation) throws {
        let directory: String
        do {
            let cluster = try Cluster(installation)
            directory = cluster.directory
            #expect(try cluster.sql("SHOW server_version").hasPrefix(installation.version))
            #expect(try cluster.digests().count > 3)
        }
        #expect(!FileTree.exists(directory))
    }
}
