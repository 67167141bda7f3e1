import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// The objects of `--progress=json`, as a program reads them that sees standard output alone.
@Suite(.disabled(if: isStock)) struct JSONProgressTests {
    typealias Object = [String: Any]

    /// Expects that each line is an object with its time, none earlier than the one before, and that the result is the
    /// last one and no other.
    private func objects(_ output: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> [Object] {
        let objects = try output.split(separator: "\n").map { line in
            #expect(line.hasPrefix(#"{"time":""#), sourceLocation: sourceLocation)
            return try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? Object, sourceLocation: sourceLocation)
        }
        let times = objects.compactMap { $0["time"] as? String }
        #expect(times.count == objects.count && times == times.sorted(), sourceLocation: sourceLocation)
        let results = objects.indices.filter { Self.type(objects[$0]) == "result" }
        #expect(results == [objects.count - 1], "\(output)", sourceLocation: sourceLocation)
        return objects
    }

    private static func type(_ object: Object) -> String? { object["type"] as? String }

    private static func index(_ objects: [Object], _ type: String, _ member: String, _ words: String) -> Int? {
        objects.firstIndex { Self.type($0) == type && ($0[member] as? String)?.contains(words) == true }
    }

    @Test func `a backup tells its progress, its warnings and its result`() throws {
        let cluster = try Cluster(.newest)
        let target = try TestDirectory.make("target", mode: 0o755)
        let result = try basebackup(cluster, to: target, ["--progress=json", "-v"])
        #expect(result.status == 0, "\(result)")
        let objects = try objects(result.output)
        let phases = objects.filter { Self.type($0) == "progress" }.compactMap { $0["phase"] as? String }
        #expect(phases.first == "connecting" && phases.contains("copying") && !phases.contains("done"), "\(phases)")
        let warning = try #require(Self.index(objects, "warning", "message", "mode 0755"), "\(result)")
        #expect(warning > 0)
        #expect(Self.index(objects, "info", "message", "write-ahead log start point") != nil, "\(result)")
        // People read the same on standard error.
        #expect(result.errorOutput.contains("understudy: warning: "), "\(result)")
        let last = try #require(objects.last)
        #expect(last["phase"] as? String == "done")
        #expect(last["target"] as? String == target)
        #expect(try #require(last["verifiedFiles"] as? Int) > 900)
        let label = try FileTree.text("\(target)/backup_label")
        #expect(label.contains("START WAL LOCATION: \(try #require(last["startLSN"] as? String)) "))
        #expect(last["timeline"] as? Int == 1 && (last["endLSN"] as? String)?.contains("/") == true)
        // And one that fails.
        let failure = try basebackup(
            cluster, to: TestDirectory.freshPath("target"), ["--progress=json", "-S", "none"])
        #expect(failure.status == 1)
        let told = try self.objects(failure.output)
        let error = try #require(told.dropLast().last)
        #expect(Self.type(error) == "error" && error["sqlstate"] as? String == "42704", "\(failure)")
        let message = try #require(error["message"] as? String)
        #expect(failure.errorOutput.contains("understudy: error: \(message)"), "\(failure)")
        let end = try #require(told.last)
        #expect(end["phase"] as? String == "failed")
        #expect((end["error"] as? Object)?["message"] as? String == message)
    }

    @Test func `a receiver tells where it is, what it loses and how it ends`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        try cluster.makeSlot()
        let archive = try WALArchive()
        let program = try archive.receive(from: cluster, ["--progress=json", "--slot", "archive"])
        try waitToTell(#""phase":"streaming""#, program)
        try cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
        try waitToTell(#""reconnects":1"#, program)
        let segment = try cluster.finishSegment()
        try archive.wait(for: segment, program)
        let result = program.stop()
        #expect(result.status == 0, "\(result)")
        let objects = try objects(result.output)
        let error = try #require(Self.index(objects, "error", "message", "terminating connection"), "\(result)")
        #expect(objects[error]["sqlstate"] as? String == "57P01")
        let before = try #require(Self.index(objects, "progress", "phase", "streaming"))
        let after = try #require(objects.firstIndex { $0["reconnects"] as? Int == 1 })
        #expect(before < error && error < after, "\(result)")
        #expect(objects[before]["timeline"] as? Int == 1)
        #expect((objects[before]["receivedLSN"] as? String)?.contains("/") == true)
        #expect(Self.index(objects, "info", "message", "finished segment") != nil, "\(result)")
        let last = try #require(objects.last)
        #expect(last["phase"] as? String == "done" && last["reason"] as? String == "signal")
        #expect(last["segmentsFinished"] as? Int == 1)
        #expect(last["flushedLSN"] as? String == last["receivedLSN"] as? String)
        // One that passes its end.
        let position = try cluster.position()
        try cluster.writeWAL(kilobytes: 32)
        let end = try archive.receive(from: cluster, ["--progress=json", "--endpos", position]).wait()
        #expect(end.status == 0, "\(end)")
        #expect(try self.objects(end.output).last?["reason"] as? String == "endPosition")
    }

    @Test func `a receiver that has to end at once tells that as well`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let proxy = try NetworkProxy(to: cluster.port), archive = try WALArchive()
        let program = try archive.receive(from: cluster, ["--progress=json"], port: proxy.port)
        try waitToTell(#""phase":"streaming""#, program)
        // The server does not hear that the stream is to end.
        proxy.set(.stalled)
        for answer in ["exiting", "still finishing"] {
            program.send(SIGTERM)
            try program.waitToSay(answer)
        }
        let result = program.stop(SIGTERM)
        #expect(result.status == 128 + SIGTERM, "\(result)")
        let last = try #require(try objects(result.output).last)
        #expect(last["phase"] as? String == "failed" && last["reason"] as? String == "error")
        #expect(
            (last["error"] as? Object)?["message"] as? String
                == "received SIGTERM for the third time, ending at once")
    }

    private func waitToTell(_ words: String, _ program: Program) throws {
        try eventually("\(words) in \(program.output)") {
            guard program.isRunning else { throw SupportError("ended too early: \(program.wait())") }
            return program.output.contains(words)
        }
    }

    /// The reader takes one line, and goes.
    @Test func `who reads no longer holds nothing up`() throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let end = try cluster.position()
        try cluster.writeWAL(kilobytes: 32)
        for (command, options) in [("receivewal", ["--endpos", end]), ("basebackup", ["-c", "fast"])] {
            let target = try TestDirectory.make("target")
            let words = [command, "--progress=json", "-v", "-d", cluster.connectionString(), "-D", target, "-w"]
            let result = try Program.run(
                "/bin/bash",
                ["-c", "set -o pipefail; \"$@\" | head -n 1", "bash", UnderstudyProgram.path] + words + options,
                environment: UnderstudyProgram.environment)
            #expect(result.status == 0, "\(result)")
            #expect(result.output.split(separator: "\n").count == 1, "\(result)")
            #expect(!FileTree.names(target).isEmpty)
        }
    }
}
