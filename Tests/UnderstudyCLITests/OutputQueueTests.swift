import Glibc
import Testing
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyCLI

@Suite("What waits to be written")
struct OutputQueueTests {
    /// Takes all of it, in pieces.
    private func taken(_ queue: inout OutputQueue, piece: Int) -> String {
        var bytes: [UInt8] = []
        while case let next = queue.next(atMost: piece, notice: { "<\($0)>" }), !next.isEmpty {
            // The reader takes a part only.
            let count = max(1, next.count / 2)
            bytes += next.prefix(count)
            queue.remove(count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("is complete and in order, whatever the pieces", arguments: [1, 2, 3, 7, 4096])
    func order(piece: Int) {
        var queue = OutputQueue(limit: 1 << 20)
        let lines = (0..<3000).map { "line \($0)\n" }
        for (number, line) in lines.enumerated() { queue.append(line, number: number) }
        queue.append("", number: 3000)
        #expect(taken(&queue, piece: piece) == lines.joined())
        #expect(queue.isEmpty)
    }

    @Test("beyond its limit loses what is oldest, and tells how much in its place")
    func bounded() {
        var queue = OutputQueue(limit: 10)
        for number in 0..<9 { queue.append("\(number)aa\n", number: number) }
        #expect(taken(&queue, piece: 100) == "<7>7aa\n8aa\n")
        queue.append("a\n", number: 9)
        #expect(taken(&queue, piece: 100) == "a\n")
    }

    @Test("goes on with a line that is half written, and keeps the newest whatever its size")
    func half() {
        var queue = OutputQueue(limit: 10)
        queue.append("first\n", number: 0)
        #expect(queue.next(atMost: 3, notice: { "<\($0)>" }).count == 3)
        queue.remove(3)
        for number in 1..<4 { queue.append("lost \(number)\n", number: number) }
        queue.append("much more than ten bytes\n", number: 4)
        #expect(queue.number == 0)
        #expect(taken(&queue, piece: 100) == "st\n<3>much more than ten bytes\n")
    }
}

@Suite("The standard streams of a run")
final class StandardOutputTests {
    private var ends: [(reader: CInt, writer: CInt)] = []
    private let output: StandardOutput

    init() throws {
        // As the program does it: a reader that goes away is no reason to die.
        _ = signal(SIGPIPE, SIG_IGN)
        for _ in 0..<2 {
            var both: [CInt] = [-1, -1]
            // Two entries, as pipe2(2) wants.
            try #require(unsafe pipe(&both) == 0)
            // A pipe of one page is full soon: F_SETPIPE_SZ.
            _ = fcntl(both[1], 1031, 4096)
            ends.append((both[0], both[1]))
        }
        output = StandardOutput(program: "understudy", output: ends[0].writer, errors: ends[1].writer, limit: 10_000)
        output.startQueue()
    }

    /// Its standard output holds objects, and its reader has not come yet.
    private func outputOfObjects() -> StandardOutput {
        let output = StandardOutput(
            program: "understudy", output: ends[0].writer, errors: ends[1].writer, limit: 10_000)
        output.startQueue(holdsObjects: true)
        return output
    }

    deinit {
        // The thread of the streams lives on, and so do their ends.
        for end in ends where end.reader >= 0 { close(end.reader) }
    }

    /// Reads until the text has come.
    private func read(_ index: Int, until text: String) throws -> String {
        try Self.read(ends[index].reader, until: text)
    }

    private static func read(_ descriptor: CInt, until text: String) throws -> String {
        var all = ""
        while !all.contains(text) {
            var buffer = [UInt8](repeating: 0, count: 5000)
            // At most the buffer is filled.
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            try #require(count > 0)
            all += String(decoding: buffer[..<count], as: UTF8.self)
        }
        return all
    }

    @Test("a pipe that nobody reads holds nobody up, and a reader that comes is told what it has missed")
    func full() throws {
        for number in 0..<2000 { output.write(.errors, "message \(number)\n") }
        output.write(.output, "result\n")
        #expect(try read(0, until: "result\n") == "result\n")
        output.write(.errors, "error: the last word\n")
        let text = try read(1, until: "the last word\n")
        let lines = text.split(separator: "\n")
        let lost = lines.compactMap {
            $0.wholeMatch(of: /understudy: warning: nobody read standard error, and (\d+) messages were dropped here/)
        }
        let count = lost.reduce(0) { $0 + (Int($1.1) ?? 0) }
        #expect(count > 1000)
        #expect(lines.count { $0.hasPrefix("message") } == 2000 - count)
        #expect(lines.count == 2000 - count + lost.count + 1)
        #expect(lines.dropLast().last == "message 1999")
        output.drain()
    }

    @Test("lost lines of the output are told among the messages, never between results")
    func lostOutput() throws {
        for number in 0..<2000 { output.write(.output, "{\"number\":\(number)}\n") }
        let text = try read(0, until: "{\"number\":1999}\n")
        let lines = text.split(separator: "\n")
        #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
        output.write(.errors, "error: the last word\n")
        let notices = try read(1, until: "last word\n").split(separator: "\n").dropLast()
        let lost = notices.compactMap {
            $0.wholeMatch(
                of: /understudy: warning: nobody read standard output, and (\d+) lines of it were dropped/)
        }
        #expect(!lost.isEmpty && lost.count == notices.count)
        #expect(lines.count == 2000 - lost.reduce(0) { $0 + (Int($1.1) ?? 0) })
    }

    @Test("among objects they are told in their place")
    func lostObjects() throws {
        let output = outputOfObjects()
        for number in 0..<2000 { output.write(.output, "{\"number\":\(number)}\n") }
        let lines = try read(0, until: "{\"number\":1999}\n").split(separator: "\n")
        let lost = lines.compactMap {
            $0.wholeMatch(
                of:
                    /{"time":"[^"]*","type":"warning","message":"nobody read standard output, and (\d+) objects were dropped here".*}/
            )
        }
        #expect(!lost.isEmpty)
        #expect(lines.count == 2000 - lost.reduce(0) { $0 + (Int($1.1) ?? 0) } + lost.count)
    }

    @Test("the end waits for a reader that reads, and not for one that does not")
    func end() throws {
        for number in 0..<500 { output.write(.errors, "message \(number)\n") }
        let descriptor = ends[1].reader
        let reader = try OwnThread("reader") {
            #expect((try? Self.read(descriptor, until: "message 499\n")) != nil)
        }
        output.drain()
        reader.join()
        // Nobody reads this: it returns all the same.
        for number in 0..<500 { output.write(.errors, "message \(number)\n") }
        output.hurry()
        output.drain()
    }

    @Test("a reader that has gone away is no reason to wait")
    func gone() {
        close(ends[1].reader)
        ends[1].reader = -1
        for number in 0..<2000 { output.write(.errors, "message \(number)\n") }
        output.drain()
    }
}
