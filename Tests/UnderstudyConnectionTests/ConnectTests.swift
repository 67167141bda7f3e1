import Glibc
import Testing
import UnderstudyPlatform

@testable import UnderstudyConnection

/// A port of this machine on which nobody answers: open but deaf, or closed.
private final class DeafPort: Sendable {
    let number: UInt16
    private let descriptor: CInt

    init(listens: Bool) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        // A sockaddr_in is what a socket of this family takes and gives.
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
            }
        }
        number = UInt16(bigEndian: address.sin_port)
        try #require(status)
        // A bound port that nobody listens on stays ours, and refuses connections.
        if listens { try #require(listen(descriptor, 16) == 0) }
    }

    deinit {
        _ = close(descriptor)
    }
}

@Suite("Connecting")
struct ConnectTests {
    private func connect(_ string: String, interrupt: Interrupt = Interrupt()) -> ConnectionError? {
        #expect(throws: ConnectionError.self) {
            _ = try Session.connect(
                ConnectionParameters("user=r password=secret sslmode=disable gssencmode=disable \(string)"),
                kind: .replication, applicationName: "understudy", interrupt: interrupt)
        }
    }

    @Test("to a closed port is refused at once")
    func closed() throws {
        let port = try DeafPort(listens: false)
        let error = connect("host=127.0.0.1 port=\(port.number)")
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("\"127.0.0.1\", port \(port.number) failed: Connection refused") == true)
        #expect(error?.description.contains("secret") == false)
    }

    @Test("to a socket that does not exist names it")
    func noSocket() {
        let error = connect("host=/nonexistent port=1")
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("\"/nonexistent/.s.PGSQL.1\" failed: No such file or directory") == true)
    }

    @Test("to a server that never answers ends with connect_timeout, which is at least two seconds")
    func timeout() throws {
        let port = try DeafPort(listens: true)
        let error = connect("host=127.0.0.1 port=\(port.number) connect_timeout=1")
        #expect(error?.code == .timedOut)
        #expect(
            error?.message == "connection to server at \"127.0.0.1\", port \(port.number) failed: timeout expired")
    }

    @Test("that timed out goes on with the next host")
    func nextHost() throws {
        let deaf = try DeafPort(listens: true), closed = try DeafPort(listens: false)
        let error = connect("host=127.0.0.1,127.0.0.1 port=\(deaf.number),\(closed.number) connect_timeout=1")
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("port \(closed.number) failed: Connection refused") == true)
    }

    @Test("ends at once when it was interrupted before")
    func interruptedBefore() throws {
        let port = try DeafPort(listens: true)
        let interrupt = Interrupt()
        interrupt.raise()
        #expect(connect("host=127.0.0.1 port=\(port.number)", interrupt: interrupt)?.code == .interrupted)
    }

    @Test("ends when it is interrupted while the server does not answer")
    func interrupted() async throws {
        let port = try DeafPort(listens: true)
        let interrupt = Interrupt()
        let parameters = try ConnectionParameters("host=127.0.0.1 port=\(port.number) user=r sslmode=disable")
        let task = Task {
            await #expect(throws: ConnectionError.self) {
                try await OwnThread.run("connect", interrupt: interrupt, failure: ConnectionError.init(thread:)) {
                    () throws(ConnectionError) in
                    _ = try Session.connect(
                        parameters, kind: .ordinary(database: "d"), applicationName: "understudy",
                        interrupt: interrupt)
                }
            }
        }
        task.cancel()
        #expect(await task.value?.code == .interrupted)
    }

    @Test("with an option that makes no sense says which", arguments: ["port=x", "sslmode=nonsense", "port=99999"])
    func options(_ option: String) {
        let error = connect("host=127.0.0.1 \(option)")
        #expect(error?.code == .parameters, "\(error?.message ?? "")")
    }
}
