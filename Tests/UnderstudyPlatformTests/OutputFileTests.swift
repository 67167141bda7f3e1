import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("Output files")
struct OutputFileTests {
    /// Around the alignment, the threshold of direct writes, the size of a block, and the write-back step.
    static let sizes = [
        0, 1, 511, 512, 4095, 4096, 4097, 8192, 1 << 20, (1 << 20) - 1, (1 << 20) + 1, (1 << 20) + 4095,
        (1 << 20) + 4096, (1 << 20) + 4097, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, (4 << 20) + 1, (5 << 20) + 4097,
    ]

    /// Writes a file as a writer does, a block after the other, and reads it back.
    private func roundTrip(_ size: Int, blockSize: Int, in path: String, sync: Bool = true) throws {
        let directory = try ConfinedDirectory(path: path)
        let content = [UInt8].pattern(size, seed: size)
        var file = try OutputFile(in: directory, "file", mode: 0o640, size: UInt64(size))
        #expect(file.path == "\(path)/file")
        let block = try Block(capacity: blockSize)
        var done = 0
        while done < size {
            done += block.append(content.raw.extracting(done...))
            try file.write(block.bytes)
            block.clear()
        }
        try file.finish(sync: sync)
        #expect(try directory.read("file", atMost: size + 1) == content)
        let (length, mode) = try directory.sizeAndMode(of: "file")
        #expect(length == Int64(size))
        #expect(mode == 0o640)
    }

    @Test("have the bytes that were written, whatever the size", arguments: sizes, [1 << 16, 2 << 20])
    func roundTrip(_ size: Int, _ blockSize: Int) throws {
        try roundTrip(size, blockSize: blockSize, in: TestDirectory.makeOnDisk("output"))
    }

    @Test(
        "go through the page cache where there are no direct writes",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func withoutDirect() throws {
        let fileSystem = try MountedFileSystem(.ram)
        let directory = try ConfinedDirectory(path: fileSystem.path)
        var direct = true
        _ = try directory.createFile("probe", mode: 0o600, direct: &direct)
        #expect(!direct)
        try directory.remove("probe")
        for size in Self.sizes {
            try roundTrip(size, blockSize: 2 << 20, in: fileSystem.path)
            try directory.remove("file")
        }
    }

    @Test("are written on tmpfs", .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func onTmpfs() throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 16 << 20))
        let directory = try ConfinedDirectory(path: fileSystem.path)
        for size in Self.sizes {
            try roundTrip(size, blockSize: 2 << 20, in: fileSystem.path)
            try directory.remove("file")
        }
    }

    @Test(
        "a small file that does not fit names itself",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func smallDoesNotFit() throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 64 << 10))
        let directory = try ConfinedDirectory(path: fileSystem.path)
        let content = [UInt8].pattern(100 << 10)
        let error = #expect(throws: FileIOError.self) {
            var file = try OutputFile(in: directory, "file", mode: 0o600, size: UInt64(content.count))
            try file.write(content.raw)
            try file.finish(sync: true)
        }
        #expect(error?.isNoSpace == true)
        #expect(
            error?.description == "could not write to file \"\(fileSystem.path)/file\": No space left on device")
    }

    @Test(
        "a large file that does not fit fails before its bytes are there",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func largeDoesNotFit() throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 1 << 20))
        let directory = try ConfinedDirectory(path: fileSystem.path)
        let error = #expect(throws: FileIOError.self) {
            _ = try OutputFile(in: directory, "file", mode: 0o600, size: 3 << 20)
        }
        #expect(error?.isNoSpace == true)
        #expect(
            error?.description
                == "could not allocate 3145728 bytes for file \"\(fileSystem.path)/file\": No space left on device")
    }

    @Test("preallocated space reads as zeros, and is all there")
    func preallocation() throws {
        let directory = try ConfinedDirectory(path: TestDirectory.makeOnDisk("output"))
        let file = try directory.createFile("file", mode: 0o600)
        if try file.preallocate(100_000, path: "file") {
            #expect(try directory.read("file", atMost: 200_000) == [UInt8](repeating: 0, count: 100_000))
            #expect(try directory.status(of: "file").st_blocks * 512 >= 100_000)
        }
    }

    @Test(
        "preallocation says where it cannot be done",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func noPreallocation() throws {
        let fileSystem = try MountedFileSystem(.ram)
        let directory = try ConfinedDirectory(path: fileSystem.path)
        let file = try directory.createFile("file", mode: 0o600)
        #expect(try !file.preallocate(100_000, path: "file"))
        #expect(try directory.sizeAndMode(of: "file").size == 0)
    }
}
