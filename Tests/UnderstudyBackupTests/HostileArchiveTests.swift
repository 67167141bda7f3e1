import Testing
import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

/// What no server sends, unless somebody has it in hand.
@Suite("A hostile archive")
struct HostileArchiveTests {
    struct Attack: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// Nil for either of a violation and a file that cannot be made.
        var code: UnderstudyError.Code
        var make: @Sendable (inout TarBytes, _ outside: String) -> Void

        init(_ name: String, _ code: UnderstudyError.Code, _ make: @escaping @Sendable (inout TarBytes, String) -> Void)
        {
            testDescription = name
            self.code = code
            self.make = make
        }
    }

    static let attacks = [
        Attack("a link of its own", .protocolViolation) { $0.link("link", to: $1) },
        Attack("a link of its own, then a file through it", .protocolViolation) {
            $0.link("link", to: $1)
            $0.file("link/file", [1])
        },
        Attack("a link named as a tablespace that is not announced", .protocolViolation) {
            $0.directory("pg_tblspc")
            $0.link("pg_tblspc/4711", to: $1)
        },
        Attack("a link in another writing of an announced OID", .protocolViolation) {
            $0.directory("pg_tblspc")
            $0.link("pg_tblspc/016385", to: $1)
        },
        Attack("a link with a sign before an announced OID", .protocolViolation) {
            $0.directory("pg_tblspc")
            $0.link("pg_tblspc/+16385", to: $1)
        },
        Attack("a link below an announced tablespace", .protocolViolation) {
            $0.directory("pg_tblspc")
            $0.link("pg_tblspc/16385", to: $1)
            $0.link("pg_tblspc/16385/x", to: $1)
        },
        Attack("a file through the link of a tablespace", .protocolViolation) {
            $0.directory("pg_tblspc")
            $0.link("pg_tblspc/16385", to: $1)
            $0.file("pg_tblspc/16385/file", [1])
        },
        Attack("a large file through the link of a tablespace", .protocolViolation) {
            $0.directory("pg_tblspc")
            $0.link("pg_tblspc/16385", to: $1)
            $0.file("pg_tblspc/16385/file", .pattern(3 << 20, seed: 1))
        },
        Attack("a directory through the link of a tablespace", .protocolViolation) {
            $0.directory("pg_tblspc")
            $0.link("pg_tblspc/16385", to: $1)
            $0.directory("pg_tblspc/16385/dir")
        },
        Attack("a file in place of the link of a tablespace", .protocolViolation) {
            $0.directory("pg_tblspc")
            $0.file("pg_tblspc/16385", [1])
            $0.link("pg_tblspc/16385", to: $1)
            $0.file("pg_tblspc/16385", [1])
        },
        Attack("a tablespace map", .protocolViolation) { $0.file("tablespace_map", Array("16385 \($1)\n".utf8)) },
        Attack("a tablespace map with a dot before it", .protocolViolation) { archive, _ in
            archive.file("./tablespace_map", [1])
        },
        Attack("a manifest of its own", .protocolViolation) { archive, _ in archive.file("backup_manifest", [1]) },
        Attack("a file twice", .fileSystem) { archive, _ in
            archive.file("file", [1])
            archive.file("file", [2])
        },
        Attack("a large file twice", .fileSystem) { archive, _ in
            archive.file("file", .pattern(2 << 20, seed: 1))
            archive.file("file", .pattern(2 << 20, seed: 2))
        },
        Attack("a directory twice", .fileSystem) { archive, _ in
            archive.directory("dir")
            archive.directory("dir")
        },
        Attack("a file where a directory is", .fileSystem) { archive, _ in
            archive.directory("dir")
            archive.file("dir", [1])
        },
        Attack("a file in a directory that is none", .fileSystem) { archive, _ in archive.file("no/file", [1]) },
        Attack("a path that leads up", .protocolViolation) { archive, _ in archive.file("../outside/file", [1]) },
        Attack("a path from the root on", .protocolViolation) { $0.file("\($1)/file", [1]) },
        Attack("a path that leads up in its middle", .protocolViolation) { archive, _ in
            archive.directory("dir")
            archive.file("dir/../../outside/file", [1])
        },
    ]

    @Test("is refused, and nothing is written outside of the target", arguments: attacks)
    func refused(_ attack: Attack) throws {
        let base = try TestDirectory.make("hostile")
        let outside = "\(base)/outside"
        try TestDirectory.make(at: outside)
        try TestDirectory.write("precious", to: "\(outside)/precious")
        let before = FileTree.snapshot(outside)
        let unpacking = try Unpacking(.init(base: base, tablespaces: [16385]))
        let error = unpacking.failure { attack.make(&$0, outside) }
        #expect(error?.code == attack.code, "\(error?.description ?? "")")
        #expect(FileTree.snapshot(outside) == before)
        #expect(Unpacking.names("\(base)/16385").isEmpty)
        #expect(FileTree.names(base) == ["16385", "data", "outside"])
        // What it did write goes away.
        #expect(unpacking.targets.restore().isEmpty)
        #expect(FileTree.names(base) == ["outside"])
    }

    @Test("cannot reach the data directory from the archive of a tablespace")
    func fromTablespace() throws {
        let unpacking = try Unpacking(.init(tablespaces: [16385]))
        for name in ["pg_tblspc/16385", "link"] {
            var archive = TarBytes()
            archive.link(name, to: "/etc")
            let error = #expect(throws: UnderstudyError.self) { try unpacking.unpack(archive, tablespace: 16385) }
            #expect(error?.code == .protocolViolation)
        }
        #expect(Unpacking.names(unpacking.path).isEmpty)
    }
}
