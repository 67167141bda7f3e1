import Foundation
import Glibc
import Testing
import UnderstudyBackup
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyConnection
@testable import UnderstudyCore
@testable import UnderstudyStandby

/// A process that does nothing, and ends with the test.
private struct Idler {
    let program: Program

    var number: Int32 { program.processID }

    init(in directory: String) throws {
        program = try Program(
            "/bin/sh", ["-c", "cd \"$0\" && echo there && exec sleep 600", directory], asCaller: true)
        let program = program
        try eventually("a process in \"\(directory)\"") { program.output == "there\n" }
    }

    /// It is not let go before it was looked at.
    func lives() -> Bool { withExtendedLifetime(program) { RunningProcess(number) != nil } }
}

@Suite("The process that postmaster.pid names")
struct StandbyProcessTests {
    /// A data directory with such a file.
    private func directory(naming process: Int32?) throws -> String {
        let directory = try TestDirectory.make("data")
        if let process { try name(process, in: directory) }
        return directory
    }

    private func name(_ process: Int32, in directory: String) throws {
        try Data("\(process)\n\(directory)\n1700000000\n5432\n/tmp\n127.0.0.1\n  1 2\nready   \n".utf8)
            .write(to: URL(fileURLWithPath: "\(directory)/postmaster.pid"))
    }

    private func server(
        _ directory: String, owner: BaseBackup.Owner? = nil, began: UInt64? = RunningProcess.now()
    ) -> StandbyServer {
        let server = StandbyServer(programs: ServerPrograms(unchecked: "/nowhere"), directory: directory, owner: owner)
        server.began.update { $0 = began }
        return server
    }

    @Test func `is ours where it works in the directory and began after the start, and is ended`() async throws {
        let directory = try directory(naming: nil)
        let server = server(directory)
        #expect(server.standing() == .none)
        let process = try Idler(in: directory)
        try name(process.number, in: directory)
        guard case .ours(let file, let running) = server.standing() else {
            Issue.record("\(server.standing())")
            return
        }
        #expect(file.processID == process.number && running.number == process.number && running.user == geteuid())
        #expect(await server.end(SIGTERM))
        #expect(!running.isAlive)
        // The file is still there, and names a process that is gone.
        #expect(server.standing() == .foreign(process.number))
        #expect(server.postmaster() == nil)
    }

    @Test func `is not ours where it works elsewhere, and is left alone`() async throws {
        let elsewhere = try Idler(in: "/")
        let server = server(try directory(naming: elsewhere.number))
        #expect(server.standing() == .foreign(elsewhere.number))
        #expect(server.postmaster() == nil)
        #expect(await server.stopImmediately())
        #expect(await server.stop())
        #expect(elsewhere.lives())
    }

    @Test func `is not ours where it was there before the start, or nothing was started`() async throws {
        let directory = try directory(naming: nil)
        let before = try Idler(in: directory)
        try name(before.number, in: directory)
        let began = try #require(RunningProcess(before.number)?.began)
        for server in [server(directory, began: began + 1), server(directory, began: nil)] {
            #expect(server.standing() == .uncertain(before.number))
            #expect(server.postmaster() == nil)
            // Somebody may have started it, so its files stay.
            #expect(!(await server.stopImmediately()))
            #expect(before.lives())
        }
    }

    @Test(.enabled(if: Account.isRoot)) func `is not ours where it runs as somebody else`() async throws {
        let directory = try directory(naming: nil)
        let process = try Idler(in: directory)
        try name(process.number, in: directory)
        let server = server(directory, owner: BaseBackup.Owner(user: 65534, group: 65534), began: 0)
        #expect(server.standing() == .foreign(process.number))
        #expect(await server.stopImmediately())
        #expect(process.lives())
    }

    @Test(arguments: [Int32.max, 1]) func `is nothing where no such process, or the machine's first, is named`(
        number: Int32
    ) async throws {
        let server = server(try directory(naming: number))
        #expect(server.standing() == .foreign(number))
        #expect(await server.stopImmediately())
    }

    // MARK: - The start

    /// A pg_ctl that is this script.
    private func programs(_ script: String) throws -> ServerPrograms {
        let directory = try TestDirectory.make("bin", mode: 0o755)
        // Not written by this process: a child started meanwhile would hold it open, and it could not be executed.
        try Program.check(
            "/bin/sh", ["-c", "cat > \(directory)/pg_ctl && chmod 755 \(directory)/pg_ctl"],
            input: "#!/bin/sh\n\(script)\n")
        return ServerPrograms(unchecked: directory)
    }

    @Test func `nothing is started beside a file that was there, and it stays`() async throws {
        let elsewhere = try Idler(in: "/")
        let directory = try directory(naming: elsewhere.number)
        let server = StandbyServer(programs: try programs("touch '\(directory)/started'"), directory: directory)
        let error = await #expect(throws: UnderstudyError.self) { try await server.start(wait: .seconds(5)) }
        #expect(error?.code == .start)
        #expect(error?.message.contains("postmaster.pid") == true)
        #expect(FileTree.names(directory) == ["postmaster.pid"])
        #expect(elsewhere.lives())
    }

    @Test func `a start that failed is no start, whatever process the file names`() async throws {
        let elsewhere = try Idler(in: "/")
        let directory = try directory(naming: nil)
        let server = StandbyServer(
            programs: try programs(
                "printf '\(elsewhere.number)\\n/\\n1\\n5432\\n/tmp\\n*\\n' > '\(directory)/postmaster.pid'\necho no; exit 1"
            ),
            directory: directory)
        let error = await #expect(throws: UnderstudyError.self) { try await server.start(wait: .seconds(5)) }
        #expect(error?.code == .start)
        #expect(
            error?.detail?.hasPrefix(
                "Its postmaster.pid names process \(elsewhere.number), which is no server of this directory. pg_ctl says: no"
            ) == true, "\(error?.detail ?? "")")
    }

    // MARK: - Where it is asked

    /// A socket that tells what came.
    private final class Listener: Sendable {
        let descriptor: Int32

        init(_ path: String) throws {
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
            let bound = unsafe withUnsafePointer(to: &address) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(bound == 0 && listen(descriptor, 5) == 0)
        }

        deinit { close(descriptor) }

        /// All that the next client sends until it goes.
        func received() -> [UInt8] {
            let client = accept(descriptor, nil, nil)
            defer { close(client) }
            var all: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1024)
            while true {
                let count = unsafe read(client, &buffer, buffer.count)
                guard count > 0 else { return all }
                all += buffer[..<count]
            }
        }
    }

    private static let port = 5432

    private func file(_ socketDirectory: String, _ address: String) throws -> PostmasterFile {
        try #require(PostmasterFile("1\n/d\n2\n\(Self.port)\n\(socketDirectory)\n\(address)\n"))
    }

    private func place(_ socketDirectory: String, _ address: String, user: UInt32) throws -> StandbyAddress? {
        StandbyAddress(try file(socketDirectory, address), user: user)
    }

    @Test func `a socket counts where it and its directory are the server's, and else loopback alone`() throws {
        let directory = try TestDirectory.make("s", mode: 0o755)
        unsafe chown(directory, geteuid(), getegid())
        let user = geteuid()
        try #expect(place(directory, "10.0.0.1", user: user) == nil)
        try #expect(place(directory, "*", user: user) == .loopback("127.0.0.1"))
        let listener = try Listener("\(directory)/.s.PGSQL.\(Self.port)")
        try withExtendedLifetime(listener) {
            try #expect(
                place(directory, "*", user: user)
                    == .socket(directory: directory, peer: userName(user)))
            try #expect(place(directory, "*", user: 1) == .loopback("127.0.0.1"))
            try #expect(place("", "::", user: user) == .loopback("::1"))
            try #expect(place("s", "", user: user) == nil)
            if Account.isRoot {
                unsafe chown(directory, 65534, 65534)
                try #expect(place(directory, "", user: user) == nil)
            }
        }
    }

    private static let login = [
        ("user", "r"), ("password", "secret"), ("host", "db.example.org"), ("hostaddr", "10.0.0.1"), ("port", "1"),
        ("service", "s"), ("dbname", "d"), ("replication", "true"), ("target_session_attrs", "read-write"),
        ("load_balance_hosts", "random"), ("sslmode", "verify-full"), ("sslrootcert", "/ca"),
        ("require_auth", "scram-sha-256"),
        ("channel_binding", "require"), ("gssencmode", "disable"), ("connect_timeout", "3"),
    ].map { ConnectionParameters.Setting(keyword: $0.0, value: $0.1) }

    @Test func `the login of the primary keeps its security, and loses its address`() throws {
        let place = StandbyAddress.socket(directory: "/run/postgresql", peer: "postgres")
        let found = try #require(place.parameters(Self.login, port: 5433) { _ in nil })
        #expect(
            Dictionary(uniqueKeysWithValues: found.settings.map { ($0.keyword, $0.value) }) == [
                "user": "r", "password": "secret", "host": "/run/postgresql", "port": "5433", "requirepeer": "postgres",
                "target_session_attrs": "any", "sslmode": "verify-full", "sslrootcert": "/ca",
                "require_auth": "scram-sha-256", "channel_binding": "require", "gssencmode": "disable",
            ])
        for variable in ["PGHOSTADDR", "PGSERVICE"] {
            #expect(place.parameters(Self.login, port: 5433) { $0 == variable ? "10.0.0.1" : nil } == nil)
        }
        // Nothing tells who listens there.
        #expect(StandbyAddress.loopback("127.0.0.1").parameters(Self.login, port: 5433) { _ in nil } == nil)
        #expect(StandbyAddress.socket(directory: "/r", peer: nil).parameters(Self.login, port: 1) { _ in nil } == nil)
        #expect(
            place.connectionString(port: 5433, database: "postgres")
                == "host='/run/postgresql' port=5433 dbname=postgres requirepeer=postgres")
        #expect(
            StandbyAddress.loopback("127.0.0.1").connectionString(port: 1, database: "d")
                == "host=127.0.0.1 port=1 dbname=d")
    }

    @Test(.enabled(if: Account.isRoot)) func `whoever else listens at the server's socket hears nothing`() throws {
        let directory = try TestDirectory.make("s", mode: 0o755)
        unsafe chown(directory, geteuid(), getegid())
        let path = "\(directory)/.s.PGSQL.\(Self.port)"
        let listener = try Listener(path)
        unsafe chown(path, 65534, 65534)
        let place = try #require(try place(directory, "", user: 65534))
        let login = [("user", "r"), ("password", "secret")].map {
            ConnectionParameters.Setting(keyword: $0.0, value: $0.1)
        }
        let parameters = try #require(place.parameters(login, port: Self.port) { _ in nil })
        let heard = Monitor<[UInt8]?>(nil)
        let thread = try OwnThread("listener") { heard.update { $0 = listener.received() } }
        let error = #expect(throws: ConnectionError.self) {
            _ = try Session.connect(
                parameters, kind: .ordinary(database: "d"), applicationName: "a", interrupt: Interrupt())
        }
        thread.join()
        #expect(error?.message.contains("requirepeer") == true, "\(error?.message ?? "")")
        #expect(heard.read { $0 } == [])
    }
}
