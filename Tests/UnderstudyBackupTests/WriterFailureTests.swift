import Testing
import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

@Suite("A writer that fails", .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
struct WriterFailureTests {
    private func check(_ error: UnderstudyError?, _ unpacking: Unpacking) {
        #expect(error?.code == .noSpace)
        #expect(error?.message.hasSuffix(": No space left on device") == true)
        #expect(error?.message.contains("\"\(unpacking.path)/") == true)
        #expect(error?.hint == "Free space on the file system, or choose a place on another one.")
        #expect(unpacking.failures.isRaised)
        // Every later step says the same.
        #expect(throws: UnderstudyError.self) { try unpacking.drain() }
        #expect(unpacking.pool.failure != nil)
    }

    @Test("because the disk is full ends everything, and says which file did not fit", arguments: [100_000, 3 << 20])
    func noSpace(_ size: Int) throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 4 << 20))
        let unpacking = try Unpacking(.init(base: fileSystem.path))
        // Far more than all blocks hold: who fills them must not wait for ever.
        let error = unpacking.failure { archive in
            for index in 0..<(64 << 20) / size { archive.file("f\(index)", [UInt8](repeating: 1, count: size)) }
        }
        check(error, unpacking)
        #expect(unpacking.targets.restore().isEmpty)
        #expect(FileTree.names(fileSystem.path).isEmpty)
    }

    @Test("while one large file is written ends everything")
    func oneLargeFile() throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 4 << 20))
        let unpacking = try Unpacking(.init(base: fileSystem.path))
        let error = unpacking.failure { $0.file("large", [UInt8](repeating: 1, count: 40 << 20)) }
        check(error, unpacking)
    }

    @Test("leaves no thread behind that waits")
    func ends() throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 1 << 20))
        weak var pool: WritePool<DirectoryOutput>?
        do {
            let unpacking = try Unpacking(.init(base: fileSystem.path))
            pool = unpacking.pool
            #expect(unpacking.failure { $0.file("large", [UInt8](repeating: 1, count: 8 << 20)) } != nil)
        }
        // The end of the unpacking has joined the writers, the last that held the pool.
        #expect(pool == nil)
    }
}
