import Testing
import UnderstudyWAL

@Suite struct TimelineHistoryTests {
    static let text = """
        1\t0/3000028\tno recovery target specified

        # a comment
          2\t0/5000000\tat restore point "Umzug"
        4 1/A0 before 2026-01-01 00:00:00+00\u{20}

        """

    static func history(_ text: String, of timeline: UInt32 = 5) throws(TimelineHistoryError) -> TimelineHistory {
        try TimelineHistory(parsing: Array(text.utf8), of: TimelineID(rawValue: timeline))
    }

    @Test("entries are read, comments and blank lines are not")
    func reads() throws {
        let history = try Self.history(Self.text)
        #expect(history.ancestors.map(\.timeline.rawValue) == [1, 2, 4])
        #expect(history.ancestors.map(\.switchLSN.description) == ["0/3000028", "0/5000000", "1/A0"])
        #expect(
            history.ancestors.map(\.reason) == [
                "no recovery target specified", "at restore point \"Umzug\"", "before 2026-01-01 00:00:00+00",
            ])
        #expect(history.switchLSN(of: TimelineID(rawValue: 2)) == LSN("0/5000000"))
        #expect(history.switchLSN(of: TimelineID(rawValue: 5)) == nil)
        #expect([1, 2, 4, 5].allSatisfy { history.contains(TimelineID(rawValue: $0)) })
        #expect(!history.contains(TimelineID(rawValue: 3)))
    }

    @Test("padded positions of servers from 19, missing reasons and foreign encodings are read")
    func variants() throws {
        #expect(try Self.history("1\t0/090051E0\tx\n").ancestors[0].switchLSN.description == "0/90051E0")
        #expect(try Self.history("1\t0/28\n").ancestors[0].reason == "")
        let latin1 = try TimelineHistory(
            parsing: Array("1\t0/28\tat \"".utf8) + [0xFC, 0x0A], of: TimelineID(rawValue: 2))
        #expect(latin1.ancestors.count == 1)
    }

    @Test(
        "a position belongs to the timeline that it is read from, a switch position to the younger one",
        arguments: [
            ("0/0", 1), ("0/3000027", 1), ("0/3000028", 2), ("0/4FFFFFF", 2), ("0/5000000", 4), ("1/9F", 4),
            ("1/A0", 5),
            ("FFFFFFFF/FFFFFFFF", 5),
        ] as [(String, UInt32)])
    func timelineOf(position: String, timeline: UInt32) throws {
        let position = try #require(LSN(position))
        #expect(try Self.history(Self.text).timeline(of: position).rawValue == timeline)
    }

    @Test("a recovery to before an ancestor's switch leaves that ancestor out of the way")
    func descending() throws {
        let history = try Self.history("1\t0/5000000\tx\n2\t0/4000000\tx\n", of: 3)
        #expect(history.timeline(of: LSN(rawValue: 0x3FF_FFFF)).rawValue == 1)
        #expect(history.timeline(of: LSN(rawValue: 0x400_0000)).rawValue == 3)
        #expect(history.timeline(of: LSN(rawValue: 0x600_0000)).rawValue == 3)
    }

    @Test("a timeline without a history file has no ancestors")
    func root() {
        let history = TimelineHistory(root: TimelineID(rawValue: 1))
        #expect(history.timeline(of: .invalid).rawValue == 1)
        #expect(history.ancestors.isEmpty && history.contains(TimelineID(rawValue: 1)))
    }

    @Test(
        "what no server writes is refused, with the line",
        arguments: [
            ("", "history", "names no parent"),
            ("# nothing\n\n", "history", "names no parent"),
            ("x\t0/28\tr\n", "line 1", "number of a timeline"),
            ("0\t0/28\tr\n", "line 1", "number of a timeline"),
            ("+1\t0/28\tr\n", "line 1", "number of a timeline"),
            ("4294967296\t0/28\tr\n", "line 1", "number of a timeline"),
            ("1 000000010000000000000003 r\n", "line 1", "position"),
            ("1\n", "line 1", "position"),
            ("1\t0/\tr\n", "line 1", "position"),
            ("1\t0/123456789\tr\n", "line 1", "position"),
            ("1\t0/28\tr\n1\t0/30\tr\n", "line 2", "ascend"),
            ("2\t0/28\tr\n\n1\t0/30\tr\n", "line 3", "ascend"),
            ("1\t0/28\tr\n5\t0/30\tr\n", "history", "cannot be a parent"),
            ("1\t0/28\tr\n9\t0/30\tr\n", "history", "cannot be a parent"),
        ])
    func refuses(text: String, place: String, detail: String) throws {
        let error = try #require(throws: TimelineHistoryError.self) { try Self.history(text) }
        #expect(error.message.contains(place) && error.message.contains("\"00000005.history\""))
        #expect(error.detail.contains(detail))
    }

    @Test("a file cut off anywhere gives entries as they were, or none at all")
    func truncated() throws {
        let bytes = Array(Self.text.utf8)
        let whole = try Self.history(Self.text).ancestors
        for length in bytes.indices {
            guard let cut = try? TimelineHistory(parsing: Array(bytes[..<length]), of: TimelineID(rawValue: 5)) else {
                continue
            }
            #expect(zip(cut.ancestors, whole).allSatisfy { $0.timeline == $1.timeline && $0.switchLSN == $1.switchLSN })
        }
    }

    @Test(
        "two histories agree if they tell the same of the timelines before one, whatever the reasons",
        arguments: [
            ("1\t0/28\ta\n2\t0/30\tb\n", 3, 3, true), ("1 0/028 other\n2 0/30\n", 3, 3, true),
            // Another position, another ancestor, one more, one less.
            ("1\t0/28\ta\n2\t0/31\tb\n", 3, 3, false), ("1\t0/27\ta\n2\t0/30\tb\n", 3, 3, false),
            ("2\t0/30\tb\n", 3, 3, false), ("1\t0/28\ta\n", 3, 3, false),
            ("1\t0/28\ta\n2\t0/30\tb\n3\t0/40\tc\n", 4, 4, false),
            // What lies behind the timeline in question does not matter.
            ("1\t0/28\ta\n2\t0/30\tb\n3\t0/40\tc\n", 4, 3, true), ("1\t0/28\ta\n2\t0/31\tb\n", 3, 2, true),
            ("1\t0/28\ta\n", 2, 2, true), ("1\t0/29\ta\n", 2, 2, false), ("1\t0/29\ta\n", 2, 1, true),
        ] as [(String, UInt32, UInt32, Bool)])
    func agrees(text: String, timeline: UInt32, before: UInt32, agree: Bool) throws {
        let ours = try Self.history("1\t0/28\ta\n2\t0/30\tb\n", of: 3)
        let other = try Self.history(text, of: timeline)
        #expect(ours.agrees(with: other, before: TimelineID(rawValue: before)) == agree)
        #expect(other.agrees(with: ours, before: TimelineID(rawValue: before)) == agree)
    }
}
