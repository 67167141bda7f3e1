import Foundation
import Glibc
import Testing
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyStandby

@Suite("The log of a start")
struct StartLogTests {
    private func path(
        _ directory: String, configFile: String? = nil, given: String? = nil, user: FileOwner = .ofThisProcess,
        isMade: Bool = false
    ) -> String {
        StartLog(directory: directory, configFile: configFile, given: given, user: user, isMade: isMade).path
    }

    @Test("lies beside the data directory, where an earlier one is gone on with")
    func beside() throws {
        let data = "\(try TestDirectory.make("parent"))/data"
        #expect(path(data) == "\(data).start.log")
        #expect(path("\(data)/") == "\(data).start.log")
        try "earlier\n".write(toFile: "\(data).start.log", atomically: false, encoding: .utf8)
        #expect(path(data) == "\(data).start.log")
        var log = StartLog(path: "\(data).start.log")
        try log.prepare(.ofThisProcess)
        #expect(log.read(atMost: 100) == "" && !log.wasMade)
        let file = try #require(FileHandle(forWritingAtPath: log.path))
        file.seekToEndOfFile()
        file.write(Data("later\n".utf8))
        #expect(log.read(atMost: 100) == "later\n")
        log.remove()
        #expect(FileTree.exists(log.path))
    }

    @Test("is not taken for a log where it is a link, a directory or another user's")
    func occupied() throws {
        let data = "\(try TestDirectory.make("parent"))/data"
        try FileManager.default.createSymbolicLink(atPath: "\(data).start.log", withDestinationPath: "/etc/passwd")
        try TestDirectory.make(at: "\(data).start.1.log", mode: 0o755)
        #expect(path(data) == "\(data).start.2.log")
    }

    @Test("is in the data directory where the server's user can write nowhere else")
    func inside() throws {
        let parent = try TestDirectory.make("parent", mode: 0o755), data = "\(parent)/data"
        let other = FileOwner(user: geteuid() + 1, group: getegid() + 1)
        #expect(path(data, user: other) == "\(data)/start.log")
        // Root makes it for that user.
        #expect(path(data, user: other, isMade: true) == (geteuid() == 0 ? "\(data).start.log" : "\(data)/start.log"))
        try FileManager.default.setAttributes([.posixPermissions: 0o1777], ofItemAtPath: parent)
        #expect(path(data, user: other) == "\(data).start.log")
        #expect(path("/no/such/place/data", user: other) == "/no/such/place/data/start.log")
    }

    @Test("has a name there that nothing in the copy has")
    func name() {
        #expect(StartLog.freeName { _ in false } == "start.log")
        #expect(StartLog.freeName { $0 == "start.log" } == "start.1.log")
        #expect(StartLog.freeName { ["start.log", "start.1.log"].contains($0) } == "start.2.log")
    }

    @Test("is where the user wants it, or Debian has it")
    func chosen() throws {
        #expect(path("/srv/data", given: "/mine") == "/mine")
        #expect(DebianConfiguration(file: "/etc/postgresql/15/postgresql.conf") == nil)
        #expect(DebianConfiguration(file: "/srv/15/main/x/postgresql.conf") == nil)
        // Debian's package makes the directory.
        try #require(FileTree.exists("/var/log/postgresql"))
        #expect(
            path("/srv/data", configFile: "/etc/postgresql/15/main/postgresql.conf")
                == "/var/log/postgresql/postgresql-15-main.log")
    }

    @Test("belongs to the server's user, and goes again with what was made")
    func made() throws {
        let data = "\(try TestDirectory.make("parent", mode: 0o755))/data"
        let user = geteuid() == 0 ? FileOwner(user: 65534, group: 65534) : .ofThisProcess
        var log = StartLog(directory: data, configFile: nil, given: nil, user: user, isMade: true)
        try log.prepare(user)
        let attributes = try FileManager.default.attributesOfItem(atPath: log.path)
        #expect(attributes[.ownerAccountID] as? UInt32 == user.user)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        log.remove()
        #expect(!FileTree.exists(log.path))
    }
}

@Suite("Where a standby listens")
struct StandbyPortTests {
    /// A socket that listens on a free port of 127.0.0.1.
    private func listener() throws -> (socket: CInt, port: Int) {
        let place = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // The calls read and fill one sockaddr_in.
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                unsafe bind(place, name, length) | getsockname(place, name, &length)
            }
        }
        try #require(status == 0 && listen(place, 1) == 0)
        return (place, Int(UInt16(bigEndian: address.sin_port)))
    }

    @Test("is in use where a program listens on that address")
    func used() throws {
        let (place, port) = try listener()
        defer { close(place) }
        for addresses in ["*", "127.0.0.1", "localhost", "0.0.0.0", "10.255.255.1, 127.0.0.1", "::1,localhost"] {
            #expect(StandbyPort(port: port, addresses: addresses).addressInUse() != nil, "\(addresses)")
        }
        // Another address of this machine, one of another, none at all, and names that are not looked up.
        for addresses in ["127.0.0.2", "10.255.255.1", "", " , ", "::1", "no.such.host.invalid", "127.1x"] {
            #expect(StandbyPort(port: port, addresses: addresses).addressInUse() == nil, "\(addresses)")
        }
    }

    @Test("is free where nobody listens")
    func free() throws {
        let (place, port) = try listener()
        close(place)
        #expect(StandbyPort(port: port, addresses: "*").addressInUse() == nil)
        #expect(StandbyPort(port: 99_999_999, addresses: "*").addressInUse() == nil)
    }
}
