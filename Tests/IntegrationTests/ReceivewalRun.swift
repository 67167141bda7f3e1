import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// A directory that `understudy receivewal` writes into, beside things that are none of its business.
struct WALTarget {
    let parent: String
    var directory: String { "\(parent)/wal" }
    private let before: [String]

    init(onDisk: Bool = false) throws {
        parent = onDisk ? try TestDirectory.makeOnDisk("parent") : try TestDirectory.make("parent")
        for name in ["wal", "outside"] { try TestDirectory.make(at: "\(parent)/\(name)") }
        try TestDirectory.write("precious", to: "\(parent)/outside/file")
        before = FileTree.snapshot("\(parent)/outside")
    }

    func start(_ server: ScriptedServer, _ arguments: [String]) throws -> Program {
        let source = "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable"
        return try UnderstudyProgram.start(
            ["receivewal", "-D", directory, "-d", source, "-w", "-v"] + arguments, bound: .seconds(40))
    }

    func run(_ server: ScriptedServer, _ arguments: [String]) throws -> ProgramResult {
        try start(server, arguments).wait()
    }

    var names: [String] { FileTree.names(directory) }

    func expectNothingOutside(_ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(FileTree.names(parent) == ["outside", "wal"], comment, sourceLocation: sourceLocation)
        #expect(FileTree.snapshot("\(parent)/outside") == before, comment, sourceLocation: sourceLocation)
    }

    // MARK: - Files

    /// A file's length, the SHA-256 of its first bytes, and how many of the bytes behind them are not zero.
    func look(at name: String, bytes: Int) throws -> (size: Int, sha256: String, rest: Int) {
        let script = """
            stat -c %s "$0"; head -c \(bytes) "$0" | sha256sum; tail -c +\(bytes + 1) "$0" | tr -d '\\0' | wc -c
            """
        let said = try Program.check("/bin/sh", ["-c", script, "\(directory)/\(name)"]).output
        let words = said.split { $0 == "\n" || $0 == " " }
        try #require(words.count == 4, "no file \(name): \(names)")
        return (Int(words[0]) ?? -1, String(words[1]), Int(words[3]) ?? -1)
    }

    /// Expects the segments of a recorded stream and nothing else but `others`: what was received byte for byte, zeros
    /// behind it, and `.partial` in the name of what is not complete.
    func expectSegments(
        _ segments: [Recording.Stream.Segment], of size: Int, and others: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let files = segments.map { $0.complete ? $0.name : "\($0.name).partial" }
        #expect(names == (files + others).sorted(), sourceLocation: sourceLocation)
        for (segment, file) in zip(segments, files) where names.contains(file) {
            let found = try look(at: file, bytes: segment.bytes)
            #expect(found.size == size, "\(file)", sourceLocation: sourceLocation)
            #expect(found.sha256 == segment.sha256, "\(file)", sourceLocation: sourceLocation)
            #expect(found.rest == 0, "\(file)", sourceLocation: sourceLocation)
        }
    }
}

extension ScriptedServer {
    /// Expects that what was acknowledged begins and ends within a stream, and never goes back.
    func expectAcknowledged(_ stream: ClosedRange<UInt64>, sourceLocation: SourceLocation = #_sourceLocation) {
        var last = statuses.first
        #expect(last != nil, sourceLocation: sourceLocation)
        for status in statuses {
            #expect(status.applied == 0, sourceLocation: sourceLocation)
            #expect(stream.contains(status.written), "\(status)", sourceLocation: sourceLocation)
            #expect(status.flushed == 0 || stream.contains(status.flushed), "\(status)", sourceLocation: sourceLocation)
            #expect(status.flushed <= status.written, "\(status)", sourceLocation: sourceLocation)
            #expect(status.flushed >= last!.flushed, "\(status)", sourceLocation: sourceLocation)
            last = status
        }
    }

    /// What was asked for with START_REPLICATION.
    var streams: [String] { commands.filter { $0.hasPrefix("START_REPLICATION") } }
}

extension Recording {
    /// A stream's facts, and its positions.
    func stream(_ session: String) throws -> (facts: Stream, range: ClosedRange<UInt64>) {
        let facts = try #require(meta.streams[session])
        return (facts, try Self.position(facts.start_lsn)...Self.position(facts.end_lsn))
    }

    static func position(_ text: String) throws -> UInt64 { try #require(LSN(text)).rawValue }

    /// Where a command wants to begin.
    static func start(of command: String) throws -> UInt64 {
        try position(String(try #require(command.split(separator: " ").first { $0.contains("/") })))
    }
}

extension UInt64 {
    /// As a position.
    var lsn: String { "\(LSN(rawValue: self))" }
}
