import Glibc
import Testing
import UnderstudyTestSupport

@Suite(.disabled(if: isStock)) struct ManyTablespacesTests {
    @Test
    func `more tablespaces than files that may be open are no trouble, and the limit is raised as far as it goes`()
        throws
    {
        let cluster = try Cluster(.newest)
        let parent = try TestDirectory.make("parent"), count = 100
        let places = try (0..<count).map { _ in try TestDirectory.make("space") }
        var statements = "SET allow_in_place_tablespaces = on;\n"
        for (number, place) in places.enumerated() {
            statements += "CREATE TABLESPACE outside\(number) LOCATION '\(place)';\n"
            statements += "CREATE TABLESPACE inside\(number) LOCATION '';\n"
        }
        for number in 0..<count {
            for place in ["outside", "inside"] {
                statements += "CREATE TABLE \(place)\(number) TABLESPACE \(place)\(number) AS SELECT 1 AS number;\n"
            }
        }
        try Program.check(
            cluster.installation.program("psql"), ["-q", "-v", "ON_ERROR_STOP=1", "-d", cluster.connectionString()],
            input: statements)
        let mappings = places.enumerated().flatMap { ["-T", "\($0.element)=\(parent)/\($0.offset)"] }
        func start(_ limits: String, _ options: [String]) throws -> Program {
            try Program(
                "/bin/bash",
                ["-c", "\(limits) && exec \"$0\" \"$@\"", UnderstudyProgram.path]
                    + Command.basebackup.arguments(cluster.connectionString(), "\(parent)/target") + mappings + options,
                environment: UnderstudyProgram.environment)
        }
        for signal in [SIGTERM, SIGKILL] {
            let program = try start("ulimit -Sn 64 && ulimit -Hn 80", ["-r", "32"])
            try cluster.waitUntilCopying(program)
            try eventually("all directories") { FileTree.names(parent).count == count + 1 }
            let limit = try FileTree.text("/proc/\(program.processID)/limits").split(separator: "\n")
                .first { $0.hasPrefix("Max open files") }
            #expect(limit?.split(separator: " ").dropFirst(3).prefix(2) == ["80", "80"])
            program.send(signal)
            #expect(program.wait().status != 0)
            #expect((FileTree.names(parent) == []) == (signal == SIGTERM))
        }
        let result = try start("ulimit -n 64", ["--force-clean"]).wait()
        #expect(result.status == 0 && result.errorOutput.contains("removing the unfinished base backup"), "\(result)")
        #expect(try verify("\(parent)/target", of: cluster, ["-n"]).status == 0)
        #expect(FileTree.names("\(parent)/target/pg_tblspc").count == 2 * count)
    }
}
