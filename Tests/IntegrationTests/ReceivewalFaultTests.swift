import Foundation
import Testing
import UnderstudyTestSupport

/// Every system call that touches the archive fails, once in each thread, as on a disk that breaks or is full.
@Suite("understudy receivewal on a disk that fails", .enabled(if: DiskFault.canInject, "strace cannot trace here"))
struct ReceivewalFaultTests {
    /// Two segments of 1 MB, and the beginning of a third.
    private static let start: UInt64 = 0x300_0000, end: UInt64 = 0x320_0100

    private static func wal(_ position: UInt64, _ count: Int) -> [UInt8] {
        ServerBytes.walPages(at: position, count: count, segmentSize: 1 << 20)
    }

    /// - Parameter endsFirst: Whether the server ends the stream before we do.
    private static func server(endsFirst: Bool = false) throws -> ScriptedServer {
        var played = PlayedServer(.v16)
        played.segmentSize = [["1MB"]]
        var bytes = ServerBytes()
        bytes.copyBoth()
        for position in stride(from: start, to: end, by: 0x2_0000) {
            bytes.wal(at: position, wal(position, Int(min(0x2_0000, end - position))))
        }
        var tail = ServerBytes()
        tail.copyDone()
        tail.complete("START_STREAMING")
        tail.ready()
        var answer = ScriptedServer.Answer(bytes.bytes + tail.bytes)
        if !endsFirst {
            answer = ScriptedServer.Answer(bytes.bytes, holdsFrom: bytes.bytes.count)
            answer.tail = tail.bytes
        }
        played.answers["START_REPLICATION"] = answer
        return try played.serve()
    }

    private func run(_ fault: DiskFault, at count: Int, endsFirst: Bool = false) throws -> (
        ProgramResult, ScriptedServer, WALTarget, trace: String
    ) {
        let server = try Self.server(endsFirst: endsFirst), target = try WALTarget(onDisk: true)
        let trace = TestDirectory.freshPath("trace")
        let source = "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable"
        let result = try Program.run(
            "/usr/bin/strace",
            ["-f", "-qq", "-y", "-o", trace] + fault.injection(at: count).flatMap { ["-e", $0] } + [
                UnderstudyProgram.path, "receivewal", "-D", target.directory, "-d", source, "-w", "-n",
                "--start-lsn", Self.start.lsn, "-E", (Self.end - 1).lsn,
            ], environment: UnderstudyProgram.environment)
        return (result, server, target, try FileTree.text(trace))
    }

    /// Expects that everything is there and acknowledged.
    private func expectAll(_ server: ScriptedServer, _ target: WALTarget, _ comment: Comment) throws {
        let names = ["000000010000000000000030", "000000010000000000000031", "000000010000000000000032.partial"]
        #expect(target.names == names, comment)
        for (index, name) in names.prefix(2).enumerated() {
            let wanted = Self.wal(Self.start + UInt64(index) << 20, 1 << 20)
            let found = try Data(contentsOf: URL(filePath: "\(target.directory)/\(name)"))
            #expect(found == Data(wanted), comment)
        }
        #expect(server.statuses.last?.flushed == Self.end, comment)
    }

    @Test(arguments: ["fdatasync", "fsync", "renameat2", "pwrite64", "fallocate", "openat2"])
    func `a call that fails is fatal, and nothing is acknowledged that it was to make safe`(call: String) throws {
        let fault = DiskFault(call: call, error: "EIO", text: "Input/output error")
        for count in 1...3 {
            let (result, server, target, trace) = try run(fault, at: count)
            let comment: Comment = "call \(count)\n\(result)\n\(trace)"
            guard result.status != 0 else {
                // Only what makes later syncs cheaper may fail without a word, and that is not the first call.
                #expect(count > 1, comment)
                try expectAll(server, target, comment)
                continue
            }
            #expect(trace.contains("(INJECTED)"), comment)
            #expect(result.status == 1, comment)
            #expect(result.errorOutput.contains("error: "), comment)
            #expect(result.errorOutput.contains("\"\(target.directory)"), comment)
            #expect(result.errorOutput.contains(fault.text), comment)
            let flushed = server.statuses.map(\.flushed).max() ?? 0
            #expect(flushed < Self.end, comment)
            if count == 1 { #expect(flushed == 0, comment) }
            if call.hasSuffix("sync") { #expect(result.errorOutput.contains("may be lost"), comment) }
        }
    }

    /// What is small, and waited for, is written and synced with one call.
    @Test(arguments: ["EIO", "ENOSPC", "EOPNOTSUPP"])
    func `a write through that fails is fatal, but where there is another way`(error: String) throws {
        let cluster = try Cluster.keepingWAL(.newest)
        let archive = try WALArchive(), trace = TestDirectory.freshPath("trace")
        let fault = DiskFault(call: "pwritev2", error: error, text: "Input/output error")
        let program = try Program(
            "/usr/bin/strace",
            ["-D", "-f", "-qq", "-o", trace] + fault.injection(at: 2).flatMap { ["-e", $0] } + [
                UnderstudyProgram.path, "receivewal", "-d", cluster.connectionString(), "-D", archive.path, "-w", "-v",
                "--synchronous",
            ], environment: UnderstudyProgram.environment)
        try cluster.waitForStream(program)
        try eventually("a failed call: \(program.errorOutput)") {
            try cluster.writeWAL(kilobytes: 32)
            if error != "EIO" { try cluster.waitForFlush(of: try cluster.position(), program) }
            return try FileTree.text(trace).contains("(INJECTED)")
        }
        guard error == "EIO" else {
            try cluster.writeWAL(kilobytes: 32)
            try cluster.waitForFlush(of: try cluster.position(), program)
            #expect(program.stop().status == 0)
            return
        }
        let result = program.wait()
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("could not write and sync file \"\(archive.path)"), "\(result)")
        #expect(result.errorOutput.contains("may be lost"), "\(result)")
    }

    @Test(arguments: ["pwrite64", "fallocate"])
    func `where there is no room for a moment, it goes on by itself`(call: String) throws {
        let fault = DiskFault(call: call, error: "ENOSPC", text: "No space left on device")
        for count in 1...3 {
            let (result, server, target, trace) = try run(fault, at: count)
            let comment: Comment = "call \(count)\n\(result)\n\(trace)"
            #expect(count > 1 || trace.contains("(INJECTED)"), comment)
            #expect(result.status == 0, comment)
            try expectAll(server, target, comment)
        }
    }

    @Test func `an end position is not reached on a disk that is full, even if the server ends first`() throws {
        let fault = DiskFault(call: "pwrite64", error: "ENOSPC", text: "No space left on device", isLasting: true)
        let (result, server, _, trace) = try run(fault, at: 1, endsFirst: true)
        #expect(result.status == 1, "\(result)\n\(trace)")
        #expect(result.errorOutput.contains("No space left on device"), "\(result)")
        #expect((server.statuses.map(\.flushed).max() ?? 0) == 0, "\(result)")
    }

    /// After a failed sync the kernel may have dropped what was written, full disk or not.
    @Test func `a sync that fails for want of room is fatal all the same`() throws {
        let (result, server, _, trace) = try run(
            DiskFault(call: "fdatasync", error: "ENOSPC", text: "No space left on device"), at: 1)
        #expect(result.status == 1, "\(result)\n\(trace)")
        #expect(result.errorOutput.contains("could not fdatasync file"), "\(result)")
        #expect((server.statuses.map(\.flushed).max() ?? 0) == 0, "\(result)")
    }
}
