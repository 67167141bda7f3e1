import Testing
import Understudy
import UnderstudyPlatform

@testable import UnderstudyCLI

@Suite("Progress of an archive of WAL")
struct ReceiveProgressTests {
    static func status(
        _ phase: WALArchiver.Status.Phase, received: String = "0/0", server: String = "0/0", lagBytes: UInt64 = 0,
        lag: Duration = .zero
    ) -> WALArchiver.Status {
        var status = WALArchiver(source: "", destination: .directory("d")).status
        status.phase = phase
        status.received = LSN(received)!
        status.server = LSN(server)!
        status.lagBytes = lagBytes
        status.lag = lag
        return status
    }

    static let behind = status(
        .catchingUp, received: "2/5A000000", server: "2/B374D848", lagBytes: 1_503_238_554, lag: .seconds(75))

    @Test(
        "the terminal's line leaves out what matters least until it fits, and never fills the last column",
        arguments: [
            (80, "received 2/5A000000  12.0 MB/s  lag 1.4 GB (1:15)  catching up"),
            (63, "received 2/5A000000  12.0 MB/s  lag 1.4 GB (1:15)  catching up"),
            (62, "received 2/5A000000  lag 1.4 GB (1:15)  catching up"),
            (51, "lag 1.4 GB (1:15)  catching up"),
            (30, "catching up"),
            (6, "catch"),
            (0, ""),
        ])
    func widths(columns: Int, text: String) {
        #expect(
            ReceiveProgressText.terminalLine(Self.behind, bytesPerSecond: 12 << 20, columns: columns) == text)
    }

    @Test(
        "a line for a log has the phase first, and leaves out what is not known",
        arguments: [
            (behind, 12 << 20, "catching up: received 2/5A000000, 12.0 MB/s, lag 1.4 GB (1:15)"),
            (status(.connecting), nil, "connecting"),
            (
                status(.streaming, received: "0/3000148", server: "0/3000148"), 0,
                "streaming: received 0/3000148, 0 bytes/s, lag 0 bytes"
            ),
            (
                status(.stalled, received: "0/3000000", server: "0/3000148", lagBytes: 328, lag: .milliseconds(999)),
                nil, "stalled: received 0/3000000, lag 328 bytes"
            ),
            (status(.waiting, received: "0/3000000"), nil, "waiting: received 0/3000000"),
        ] as [(WALArchiver.Status, UInt64?, String)])
    func plainLine(status: WALArchiver.Status, rate: UInt64?, text: String) {
        #expect(ReceiveProgressText.plainLine(status, bytesPerSecond: rate) == text)
    }

    // MARK: - Which are shown

    /// What is shown of statuses half a second apart.
    private func outputs(
        _ style: ReceiveProgressWriter.Style, _ run: [WALArchiver.Status]
    ) -> [ProgressWriter.Output] {
        var writer = ReceiveProgressWriter(style: style)
        return run.enumerated()
            .map { writer.update($0.element, at: .milliseconds($0.offset * 500), columns: 80) }
            .filter { $0 != .nothing }
    }

    private static func streaming(_ position: UInt64) -> WALArchiver.Status {
        let text = LSN(rawValue: position).description
        return status(.streaming, received: text, server: text)
    }

    @Test("nothing is nothing")
    func none() {
        #expect(outputs(.none, [Self.behind]) == [])
    }

    @Test("a terminal's line follows every look")
    func terminal() {
        #expect(
            outputs(.terminal, [Self.status(.connecting), Self.streaming(1 << 24), Self.streaming(2 << 24)]) == [
                .status("connecting"), .status("received 0/1000000  lag 0 bytes  streaming"),
                .status("received 0/2000000  lag 0 bytes  streaming"),
            ])
    }

    @Test("lines for a log come at the interval, with the rate since the one before")
    func plain() {
        let run = (0...40).map { Self.streaming(UInt64(1 + $0) << 20) }
        #expect(
            outputs(.plain(every: .seconds(10)), [Self.status(.stopped)] + run) == [
                .line("streaming: received 0/100000, lag 0 bytes"),
                .line("streaming: received 0/1500000, 2.0 MB/s, lag 0 bytes"),
                .line("streaming: received 0/2900000, 2.0 MB/s, lag 0 bytes"),
            ])
    }

    @Test("a log does not repeat what it has said")
    func idle() {
        let idle = Array(repeating: Self.streaming(1 << 24), count: 200)
        #expect(
            outputs(.plain(every: .seconds(10)), idle) == [
                .line("streaming: received 0/1000000, lag 0 bytes"),
                .line("streaming: received 0/1000000, 0 bytes/s, lag 0 bytes"),
            ])
    }

    @Test("a terminal keeps the last line of a run that ended well, and nothing of one that failed")
    func end() {
        let writer = ReceiveProgressWriter(style: .terminal)
        let last = Self.status(.stopped, received: "0/3000148", server: "0/3000148")
        #expect(
            writer.end(last, failed: false, columns: 80) == .line("received 0/3000148  lag 0 bytes  stopped"))
        #expect(writer.end(last, failed: true, columns: 80) == .status(nil))
        #expect(writer.end(Self.status(.stopped), failed: false, columns: 80) == .status(nil))
        for style in [ReceiveProgressWriter.Style.none, .plain(every: .seconds(10))] {
            #expect(ReceiveProgressWriter(style: style).end(last, failed: false, columns: 80) == .nothing)
        }
    }

    // MARK: - Objects

    private static func text(_ object: JSONObject) -> String { object.text(at: UTCTime(0)) }

    private static func lines(_ outputs: [ProgressWriter.Output]) -> [String] {
        outputs.map { output in if case .object(let object) = output { text(object) } else { "" } }
    }

    @Test("an object has null for what is not known")
    func unknown() {
        let connecting = Self.text(
            ReceiveProgressJSON.object(Self.status(.connecting), bytesPerSecond: nil, hasSlot: true))
        #expect(
            connecting.hasSuffix(
                #""type":"progress","phase":"connecting","timeline":null,"receivedLSN":null,"flushedLSN":null,"#
                    + #""acknowledgedLSN":null,"segmentsFinished":0,"reconnects":0,"serverLSN":null,"lagBytes":null,"#
                    + #""lagSeconds":null,"retainedBytes":null,"bytesPerSecond":null,"segment":null}"#))
    }

    @Test("the lag is known with a connection, and with a slot it is what that retains")
    func known() {
        var status = Self.behind
        status.timeline = TimelineID(rawValue: 2)
        status.segment = "00000002000000020000005A"
        status.reconnects = 3
        func lag(_ status: WALArchiver.Status, hasSlot: Bool = true) -> [String?] {
            let object = ReceiveProgressJSON.object(status, bytesPerSecond: 7, hasSlot: hasSlot)
            return ["serverLSN", "lagBytes", "lagSeconds", "retainedBytes"].map { object[$0]?.text }
        }
        #expect(lag(status) == [#""2/B374D848""#, "null", "null", "null"])
        status.connectedSince = .now
        status.acknowledged = LSN("2/59000000")!
        status.synced = status.acknowledged
        #expect(lag(status) == [#""2/B374D848""#, "1503238554", "75.0", "1503238554"])
        #expect(lag(status, hasSlot: false).last == "null")
        #expect(
            Self.text(ReceiveProgressJSON.object(status, bytesPerSecond: 7, hasSlot: true)).hasSuffix(
                #""phase":"catchingUp","timeline":2,"receivedLSN":"2/5A000000","flushedLSN":"2/59000000","#
                    + #""acknowledgedLSN":"2/59000000","segmentsFinished":0,"reconnects":3,"serverLSN":"2/B374D848","#
                    + #""lagBytes":1503238554,"lagSeconds":75.0,"retainedBytes":1503238554,"bytesPerSecond":7,"#
                    + #""segment":"00000002000000020000005A"}"#))
        status.connectedSince = nil
        #expect(lag(status) == [#""2/B374D848""#, "null", "null", "null"])
    }

    @Test("objects come once a second while something changes")
    func changing() {
        let run = (0...5).map { Self.streaming(UInt64(1 + $0) << 20) }
        let objects = Self.lines(
            outputs(.json(hasSlot: false), [Self.status(.stopped), Self.status(.connecting)] + run))
        #expect(objects.map { $0.contains("connecting") } == [true, false, false, false])
        #expect(
            zip(objects.dropFirst(), ["0/200000", "0/400000", "0/600000"]).allSatisfy { $0.contains($1) }, "\(objects)")
    }

    @Test("an idle archiver shows after ten seconds that it is alive")
    func alive() {
        // Half a second apart: the second one has a rate, and the others are twenty apart.
        let idle = Array(repeating: Self.streaming(1 << 24), count: 2 + 2 * 20 + 1)
        let objects = Self.lines(outputs(.json(hasSlot: false), idle))
        #expect(objects.count == 4)
        #expect(Set(objects.dropFirst()).count == 1)
    }

    @Test("the result says why the archiver ended, and where")
    func results() {
        var status = Self.status(.stopped, received: "0/3000148", server: "0/3000148")
        status.synced = status.received
        let positions =
            #""timeline":null,"receivedLSN":"0/3000148","flushedLSN":"0/3000148","acknowledgedLSN":null,"#
            + #""segmentsFinished":0,"reconnects":0"#
        #expect(
            Self.text(ReceiveProgressJSON.done(.endPosition, status)).hasSuffix(
                #""type":"result","phase":"done","reason":"endPosition",\#(positions)}"#))
        #expect(
            Self.text(ReceiveProgressJSON.failed(UnderstudyError(.wal, "no"), status)).hasSuffix(
                #""type":"result","phase":"failed","reason":"error",\#(positions),"error":{"message":"no","detail":null,"#
                    + #""hint":null,"sqlstate":null}}"#))
        #expect(
            Self.text(ReceiveProgressJSON.done(.slotDropped, nil)).hasSuffix(
                #""type":"result","phase":"done","reason":"slotDropped"}"#))
    }

    // MARK: - On the console

    @Test("the line is there while the archiver works, and gone when it has failed", arguments: [false, true])
    func reporter(fails: Bool) async {
        let recorder = Recorder()
        let (shown, teller) = AsyncStream<Void>.makeStream()
        let console = Console(program: "pg_receivewal", verbose: false) { stream, text in
            recorder.write(stream, text)
            teller.finish()
        }
        let reporter = ReceiveProgressReporter(style: .terminal, console: console, columns: { 80 })
        let last = Self.streaming(1 << 24)
        do throws(UnderstudyError) {
            try await reporter.show({ last }) { () throws(UnderstudyError) in
                for await _ in shown {}
                if fails { throw UnderstudyError(.wal, "no") }
            }
            #expect(!fails)
        } catch {
            #expect(fails)
        }
        let erase = "\r\u{1B}[K"
        let line = "received 0/1000000  lag 0 bytes  streaming"
        #expect(recorder.errors.hasPrefix(erase + line))
        // A line that was shown for a while has a rate.
        #expect(recorder.errors.hasSuffix(fails ? "streaming\(erase)" : "\(erase)\(line)\n"))
    }
}
