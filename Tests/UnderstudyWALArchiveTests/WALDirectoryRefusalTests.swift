import Testing
import UnderstudyCompression
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite("A WAL directory that cannot be used")
struct WALDirectoryRefusalTests {
    private func refusal(
        _ path: String, _ origin: WALOrigin = TestArchive.origin(), dependsOnServer: Bool = false
    ) -> WALDestinationError? {
        let before = FileTree.snapshot(path)
        let error = #expect(throws: WALDestinationError.self) { _ = try WALDirectory(path).open(origin) }
        #expect(FileTree.snapshot(path) == before)
        #expect(error?.isTemporary == false)
        #expect(error?.dependsOnServer == dependsOnServer)
        return error
    }

    @Test("because it is missing says so")
    func missing() throws {
        let path = TestDirectory.freshPath("missing")
        let error = try #require(refusal(path))
        #expect(error.message == "could not open directory \"\(path)\": No such file or directory")
        #expect(error.hint == "Make the directory first, or mount the file system that it is on.")
    }

    @Test("because it is a file says so")
    func file() throws {
        let archive = try TestArchive()
        try archive.put("file", [])
        let error = try #require(refusal("\(archive.path)/file"))
        #expect(error.message == "could not open directory \"\(archive.path)/file\": Not a directory")
    }

    @Test("because another archiver is in it says so, until that has left")
    func inUse() throws {
        let archive = try TestArchive(), first = WALDirectory(archive.path)
        for _ in 1...2 {
            _ = try first.open(TestArchive.origin())
            let error = try #require(refusal(archive.path))
            #expect(error.message == "directory \"\(archive.path)\" is in use by another archiver")
            #expect(error.hint == "Give each archiver a directory of its own, or stop the other one first.")
        }
        // With the next file prepared, and this one finished, on other threads.
        try first.begin(segment(3))
        _ = try first.sync()
        try first.write(.wal(of: segment(3)), 0..<1 << 20)
        try first.finish(segment(3))
        first.close()
        #expect(try WALDirectory(archive.path).open(TestArchive.origin()).next == position(1, 0x400000))
    }

    @Test(
        "because nothing can be written there says so with the first segment",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"), arguments: Compression.each)
    func readOnly(_ compression: Compression) throws {
        let fileSystem = try MountedFileSystem(.readOnly)
        let directory = WALDirectory(fileSystem.path, compression: compression)
        _ = try directory.open(TestArchive.origin())
        let error = try #require(throws: WALDestinationError.self) { try directory.begin(segment(3)) }
        #expect(error.message.hasPrefix("could not create file \"\(fileSystem.path)/"))
        #expect(error.message.hasSuffix("\": Read-only file system"))
        #expect(error.hint?.contains("mounted read-only") == true)
        #expect(!error.isTemporary)
        directory.close()
    }

    @Test(
        "because it is another cluster's says whose",
        arguments: ["", ".partial", ".gz", ".lz4.partial", ".zst"])
    func anotherCluster(_ suffix: String) throws {
        let archive = try TestArchive(), name = segment(3).name + suffix
        let other = [UInt8].wal(of: segment(3), system: "7380000000000000002")
        try archive.putSegment(name, bytes: other)
        // The newest that tells it, that is.
        try archive.putSegment(segment(4).name + ".partial", upTo: 0)
        let error = try #require(refusal(archive.path))
        #expect(error.message == "directory \"\(archive.path)\" holds WAL of another database cluster")
        #expect(
            error.detail
                == "The system identifier in \"\(name)\" is 7380000000000000002, the server's is 7380000000000000001.")
        #expect(error.hint == "Name the directory of this cluster, or an empty one.")
    }

    @Test("because its segments have another size says which", arguments: [1 << 21, 1 << 24])
    func anotherSize(_ bytes: Int) throws {
        let archive = try TestArchive()
        try archive.putSegment(segment(3).name)
        var origin = TestArchive.origin()
        origin.segmentSize = bytes
        let error = try #require(refusal(archive.path, origin))
        #expect(error.message == "directory \"\(archive.path)\" holds WAL with segments of another size")
        #expect(
            error.detail
                == "The segment \"\(segment(3).name)\" has 1048576 bytes, the server's have \(bytes) bytes.")
        #expect(error.hint == "Name the directory of this cluster, or an empty one.")
    }

    @Test("because its names are of segments of another size says so")
    func anotherSizeByName() throws {
        let archive = try TestArchive(), name = "000000010000000000000FFF"
        try archive.putSegment(name)
        var origin = TestArchive.origin()
        origin.segmentSize = 16 << 20
        let error = try #require(refusal(archive.path, origin))
        #expect(error.message == "directory \"\(archive.path)\" holds WAL with segments of another size")
        #expect(error.detail == "The segment \"\(name)\" has another size, the server's have 16777216 bytes.")
    }

    @Test("because the server's history makes no sense says where")
    func badHistory() throws {
        let archive = try TestArchive()
        var origin = TestArchive.origin(timeline: 2)
        origin.history = Array("one\n".utf8)
        let error = try #require(refusal(archive.path, origin, dependsOnServer: true))
        #expect(error.message == "invalid data in line 1 of history file \"00000002.history\"")
        #expect(error.detail == "The line does not begin with the number of a timeline.")
    }

    @Test("because the server has segments that nobody has says so")
    func impossibleSize() throws {
        var origin = TestArchive.origin()
        origin.segmentSize = 3 << 20
        let error = try #require(refusal(try TestArchive().path, origin))
        #expect(error.message == "server has an unexpected WAL segment size of 3145728 bytes")
    }
}
