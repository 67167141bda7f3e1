import Foundation
import Testing
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL
import UnderstudyWALArchive

@testable import UnderstudyMonitoring

@Suite("The page and the status for programs")
struct StatusPageTests {
    /// What a server or a file name may bring.
    private static let hostile = "</b><script>alert(1)</script>\"' onload='x' &amp; \u{202E}\u{0}\r\nsecond line"

    private var view: ArchiverView {
        var status = WALArchiver.Status()
        status.phase = .streaming
        status.received = LSN(rawValue: 0x300_0000)
        status.acknowledged = LSN(rawValue: 0x2FF_0000)
        status.server = LSN(rawValue: 0x310_0000)
        status.lagBytes = 0x11_0000
        status.timeline = 3
        status.segment = Self.hostile
        status.connectedSince = .now
        return ArchiverView(name: Self.hostile, status: status, maxLag: nil, now: .now, time: UTCTime(0))
    }

    private var full: ArchiverView {
        var view = view
        view.status.lastError = UnderstudyError(.server, Self.hostile, detail: Self.hostile, hint: Self.hostile)
        view.status.lastErrorAt = view.now - .seconds(61)
        var slot = WALArchiver.Status.Slot(name: Self.hostile)
        slot.walStatus = Self.hostile
        slot.isInvalidated = true
        slot.invalidationReason = Self.hostile
        view.status.slot = slot
        var holdings = WALArchiver.Status.Holdings()
        let position = WALPosition(timeline: 1, lsn: LSN(rawValue: 0x100_0000))
        holdings.begin = position
        holdings.gaps = (0..<60).map { number in
            WALGap(start: position, end: WALPosition(timeline: 1, lsn: LSN(rawValue: UInt64(number + 2) << 24)))
        }
        view.status.holdings = holdings
        for second in [3000, 2990, 1000, 990, 980] {
            view.history.add(.init(at: view.now - .seconds(second), lag: second == 990 ? nil : UInt64(second)))
        }
        view.maxLag = 1500
        return view
    }

    /// Tags that are opened and not closed, or closed and not opened. An attribute's value that is not quoted, or has a
    /// quote or a bracket in it, makes a tag that is none.
    private func unbalanced(_ html: String) throws -> [String] {
        let empty = ["meta", "link"]
        var open: [String] = [], flaws: [String] = []
        var rest = Substring(html)
        let tag = try Regex(#"^<(/?)([a-z0-9]+)((?: [a-zA-Z0-9-]+(?:="[^"<>]*")?)*)(/?)>"#)
        while let start = rest.firstIndex(of: "<") {
            rest = rest[start...]
            if rest.hasPrefix("<!DOCTYPE html>") {
                rest = rest.dropFirst(15)
                continue
            }
            guard let found = try tag.firstMatch(in: rest) else { return flaws + ["no tag: \(rest.prefix(60))"] }
            let name = String(found[2].substring ?? "")
            if found[1].substring == "/" {
                if open.popLast() != name { flaws.append("</\(name)>") }
            } else if found[4].substring != "/", !empty.contains(name) {
                open.append(name)
            }
            rest = rest[found.range.upperBound...]
        }
        return flaws + open
    }

    @Test("is balanced, and has no script and no tag that a server or a file name brings")
    func escaping() throws {
        for html in [
            StatusPage.of(view).text, StatusPage.of(full).text, StatusPage.list([view, full], at: full.time).text,
        ] {
            #expect(try unbalanced(html) == [])
            #expect(html.components(separatedBy: "<script").count == 2)
            #expect(!html.contains("alert(1)</") && !html.contains("onload='"))
            #expect(!html.unicodeScalars.contains("\u{202E}") && !html.unicodeScalars.contains("\u{0}"))
            #expect(!html.unicodeScalars.contains("\r"))
        }
        // The check finds what is wrong.
        #expect(
            try unbalanced("<p><b></p>") != [] && unbalanced("<a href=\"<\">") != [] && unbalanced("<a href=x>") != [])
    }

    @Test("has no address of another place, and its policy allows none")
    func selfContained() {
        let html = StatusPage.of(full).text + PageFiles.style + PageFiles.script
        #expect(!html.contains("//") && !html.contains("@import") && !html.contains("url("))
        #expect(!html.contains("style=\"") && !html.contains("<style"))
        #expect(ArchiverSite.policy.hasPrefix("default-src 'none';") && !ArchiverSite.policy.contains("unsafe"))
    }

    @Test("shows what there is, and says how many gaps it leaves out")
    func content() {
        let html = StatusPage.of(full).text
        #expect(html.contains("<dt>Lag</dt><dd>1.1 MB for 0:00</dd>"))
        #expect(html.contains("1970-01-01") || html.contains("1969-12-31 23:58:59 UTC"))
        #expect(html.components(separatedBy: "<li ").count == 51 && html.contains("And 10 more."))
        #expect(html.components(separatedBy: "<polyline").count == 4)
        #expect(html.components(separatedBy: "<rect class=\"away\"").count == 2)
        #expect(html.contains("<line class=\"limit\""))
        #expect(html.contains("lags by 1.1 MB, more than 1.5 kB"))
    }

    @Test("tells programs the same, as JSON that any reader reads")
    func json() throws {
        let text = StatusJSON.text([view, full], at: full.time)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(object["ready"] as? Bool == false)
        let archivers = try #require(object["archivers"] as? [[String: Any]])
        let (plain, rich) = (archivers[0], archivers[1])
        #expect(plain["name"] as? String == Self.hostile && plain["phase"] as? String == "streaming")
        #expect(plain["ready"] as? Bool == true && plain["slot"] is NSNull && plain["lastError"] is NSNull)
        #expect(plain["lagBytes"] as? Int == 0x11_0000 && plain["acknowledgedLSN"] as? String == "0/2FF0000")
        #expect((rich["lastError"] as? [String: Any])?["time"] as? String == "1969-12-31T23:58:59.000Z")
        #expect((rich["slot"] as? [String: Any])?["invalidated"] as? Bool == true)
        let gaps = (rich["holdings"] as? [String: Any])?["gaps"] as? [[String: [String: Any]]]
        #expect(gaps?.count == 60 && gaps?.first?["start"]?["lsn"] as? String == "0/1000000")
        // Every property of the status is there, under its own name or another.
        let others = [
            "received": "receivedLSN", "synced": "flushedLSN", "acknowledged": "acknowledgedLSN", "server": "serverLSN",
            "lag": "lagSeconds", "lastErrorAt": "lastError", "storageWait": "storageWaitSeconds",
            "receiptWait": "receiptWaitSeconds",
            "silence": "silenceSeconds",
        ]
        for child in Mirror(reflecting: view.status).children {
            let name = try #require(child.label)
            #expect(plain[others[name] ?? name] != nil, "\(name)")
        }
    }

    @Test("is ready while it streams and lags by no more than it may")
    func readiness() {
        var view = view
        #expect(view.unreadiness == nil)
        view.maxLag = view.status.lagBytes
        #expect(view.unreadiness == nil)
        view.maxLag = view.status.lagBytes - 1
        #expect(view.unreadiness == "lags by 1.1 MB, more than 1.1 MB")
        view.maxLag = nil
        view.maxSilence = .seconds(160)
        (view.status.storageWait, view.status.receiptWait, view.status.silence) =
            (.seconds(10), .seconds(10), .seconds(160))
        #expect(view.unreadiness == nil)
        view.status.silence = .seconds(161)
        #expect(view.unreadiness == "has heard nothing from the server for 2:41")
        view.status.receiptWait = .seconds(11)
        #expect(view.unreadiness == "has received nothing for 0:11, though the server has WAL up to 0/3100000")
        view.status.storageWait = .seconds(12)
        #expect(
            view.unreadiness == "has waited 0:12 for the archive's storage: a write or sync does not return")
        (view.status.storageWait, view.status.receiptWait, view.status.silence) = (nil, nil, nil)
        for phase in WALArchiver.Status.Phase.allCases {
            view.status.phase = phase
            #expect((view.unreadiness == nil) == [.streaming, .catchingUp].contains(phase), "\(phase)")
        }
    }

    @Test("the lag of an hour is kept, and no more")
    func history() {
        var history = LagHistory()
        let begin = ContinuousClock.now
        for number in 0..<5000 {
            history.add(.init(at: begin + LagHistory.interval * number, lag: UInt64(number)))
            #expect(history.samples.count <= 410)
        }
        let now = begin + LagHistory.interval * 4999
        let runs = history.runs(until: now)
        #expect(runs.count == 1 && runs[0].count == 361 && runs[0].first?.lag == 4639 && runs[0].last?.lag == 4999)
    }
}
