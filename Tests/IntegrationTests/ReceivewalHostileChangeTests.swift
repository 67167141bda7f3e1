import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// What changes about a server from one connection to the next, or from one run to the next.
@Suite struct ReceivewalHostileChangeTests {
    @Test(arguments: [
        FalseStreamServer("another system identifier", word: "another database cluster") { $0.identity[0][0] = "1" },
        FalseStreamServer("another segment size", word: "another size") { $0.segmentSize = [["1MB"]] },
    ])
    func `what cannot change between two connections ends the run`(what: FalseStreamServer) throws {
        var first = PlayedServer(.v16)
        first.answers["START_REPLICATION"] = FalseStreamServer.dyingStream()
        var second = first
        what.make(&second)
        let test = try FalseStreamTest(first, second)
        let result = try test.run([])
        expectRefused(result, what.word)
        #expect(test.server.statuses.last?.flushed == FalseStreamServer.good.upperBound)
        #expect(test.target.names == ["000000010000000000000003.partial"])
        try test.expectSound(result)
    }

    @Test func `a server that fails behind the same bytes each time is tried less and less often`() throws {
        var played = PlayedServer(.v16)
        played.answers["START_REPLICATION"] = FalseStreamServer.dyingStream()
        let test = try FalseStreamTest(played)
        let program = try test.target.start(
            test.server, ["--start-lsn", FalseStreamServer.good.lowerBound.lsn, "-v"])
        // The first pause is a quarter of a second, and each next one twice as long, if they are not begun anew.
        try eventually("a pause of a second: \(program.errorOutput)") {
            program.errorOutput.contains(/waiting (0\.[89]|[1-9][0-9.]*) seconds/)
        }
        #expect(program.stop().status == 0)
    }

    @Test func `timelines without end are refused where there is no WAL between them`() throws {
        let position = FalseStreamServer.good.lowerBound.lsn
        var played = PlayedServer(.v16)
        var history = ""
        for timeline in 1...40 {
            var end = ServerBytes()
            end.rows(2, [["\(timeline + 1)", position]])
            end.complete("START_STREAMING")
            end.ready()
            played.answers["START_REPLICATION \(position) TIMELINE \(timeline)"] = .init(end.bytes)
            history += "\(timeline)\t\(position)\tx\n"
            let next = timeline + 1, digits = String(next, radix: 16, uppercase: true)
            let name = String(repeating: "0", count: 8 - digits.count) + digits + ".history"
            played.answers["TIMELINE_HISTORY \(next)"] = FalseStreamServer.rows([[name, history]])
        }
        let test = try FalseStreamTest(played)
        let result = try test.run(["-n"])
        expectRefused(
            result, "server ended timeline 33 at \(position), and 32 timelines before it there too", hint: false)
        #expect(test.target.names.count == 32)
        try test.expectSound(result)
    }

    /// Two servers that were promoted without knowing of each other gave the same number to their timelines.
    @Test func `a timeline whose history is another one than before is set aside`() throws {
        var first = PlayedServer(.v16)
        first.identity[0][1] = "2"
        first.answers["START_REPLICATION"] = FalseStreamServer.dyingStream(timeline: 2)
        first.answers["TIMELINE_HISTORY"] = FalseStreamServer.rows([["00000002.history", "1\t0/2000000\tx\n"]])
        var second = PlayedServer(.v16)
        second.identity[0][1] = "2"
        second.answers["TIMELINE_HISTORY"] = FalseStreamServer.rows([["00000002.history", "1\t0/2800000\ty\n"]])
        let test = try FalseStreamTest(first, second)
        let result = try test.run(["-E", "0/3001FFF"])
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("warning: server's history left timeline 2"), "\(result)")
        let names = ["00000002.history", "000000020000000000000003.partial"]
        #expect(test.target.names == names + ["diverged"])
        let aside = FileTree.names("\(test.target.directory)/diverged")
        #expect(aside.map { $0.split(separator: ".").dropLast().joined(separator: ".") } == names, "\(aside)")
        #expect(try FileTree.text("\(test.target.directory)/00000002.history") == "1\t0/2800000\ty\n")
        #expect(test.server.statuses.last?.flushed == 0x300_2000)
        test.target.expectNothingOutside()
    }

    @Test func `a directory of segments of another size is refused`() throws {
        var played = PlayedServer(.v16)
        played.segmentSize = [["1MB"]]
        let test = try FalseStreamTest(played)
        // The first page's header: magic, flags, timeline, address, length, padding, system, segment size, page size.
        var file: [UInt8] =
            [0x16, 0xD1, 2, 0, 1, 0, 0, 0] + [0, 0, 0, 3, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 8)
        file += ServerBytes.integer(UInt64(played.identity[0][0]!)!).reversed() + [0, 0, 0, 1, 0, 0x20, 0, 0]
        file += [UInt8](repeating: 0, count: 16 << 20 - file.count)
        let name = "000000010000000000000003.partial", path = "\(test.target.directory)/\(name)"
        try TestDirectory.write("", to: path)
        try Data(file).write(to: URL(filePath: path))
        let result = try test.run(["-n"])
        expectRefused(result, "segments of another size", "16777216 bytes", "1048576 bytes")
        #expect(test.target.names == [name])
        #expect(test.server.streams.isEmpty)
    }
}
