import Testing
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

/// What every destination must do, and the archiver relies on.
@Suite("A destination of WAL")
struct WALDestinationConformanceTests {
    private let origin = TestArchive.origin()

    @Test("holds nothing at first", arguments: DestinationKind.all)
    func empty(_ kind: DestinationKind) throws {
        let destination = try kind.make().start()
        #expect(try destination.open(origin) == WALHoldings())
        let synced = try destination.sync()
        #expect(synced == nil || synced == .invalid)
        try destination.suspend()
        destination.close()
    }

    @Test("holds what was written, and acknowledges no more than that", arguments: DestinationKind.all)
    func content(_ kind: DestinationKind) throws {
        let tested = try kind.make(), destination = tested.start()
        _ = try destination.open(origin)
        for number: UInt64 in 3...6 {
            let segment = segment(number), content = [UInt8].wal(of: segment)
            try destination.begin(segment)
            try check(destination.sync(), segment.start, segment.start, kind)
            var written = 0
            for end in [1, 8192, 8193, 300_000, content.count] {
                try destination.writeInPieces(content, written..<end)
                written = end
                let position = LSN(rawValue: segment.start.rawValue + UInt64(end))
                try check(destination.sync(), position, segment.start, kind)
                if kind.isDurable { #expect(content[..<end].isHeld(in: try tested.content(of: segment))) }
            }
            try destination.finish(segment)
            try check(destination.sync(), segment.end, segment.start, kind)
            #expect(content.isSame(as: try tested.content(of: segment)))
        }
        destination.close()
    }

    /// - Parameter start: Before it, segments have been finished.
    private func check(_ synced: LSN?, _ written: LSN, _ start: LSN, _ kind: DestinationKind) {
        if kind.isDurable {
            #expect(synced == written)
        } else if let synced {
            #expect(start <= synced && synced <= written)
        }
    }

    @Test("keeps what was begun, and is given it again from its start", arguments: DestinationKind.all)
    func suspension(_ kind: DestinationKind) throws {
        let tested = try kind.make(), first = tested.start()
        _ = try first.open(origin)
        try first.store(segment(3))
        let content = [UInt8].wal(of: segment(4))
        try first.begin(segment(4))
        try first.writeInPieces(content, 0..<400_000)
        try first.suspend()
        first.close()
        #expect(Array(content.prefix(400_000)).isHeld(in: try tested.content(of: segment(4))))
        let second = tested.start()
        #expect(try second.open(origin).next == position(1, 0x400000))
        second.close()
    }

    @Test("goes on behind the newest complete segment", arguments: DestinationKind.all)
    func completion(_ kind: DestinationKind) throws {
        let tested = try kind.make(), first = tested.start()
        _ = try first.open(origin)
        for number: UInt64 in [0xFE, 0xFF, 0x100] { try first.store(segment(number)) }
        try first.suspend()
        first.close()
        let second = tested.start()
        #expect(try second.open(origin).next == position(1, 0x1010_0000))
        second.close()
    }

    @Test("serves one connection after the other", arguments: DestinationKind.all)
    func connections(_ kind: DestinationKind) throws {
        let tested = try kind.make(), destination = tested.start()
        for number: UInt64 in 3...5 {
            let next = number == 3 ? nil : position(1, number << 20)
            #expect(try destination.open(origin).next == next)
            // Nothing is known of this connection's WAL before any came.
            #expect(try destination.sync() ?? .invalid <= LSN(rawValue: number << 20))
            try destination.store(segment(number))
            try destination.suspend()
            destination.close()
        }
    }

    @Test(
        "loses nothing of a segment that is written again, however far that comes",
        arguments: DestinationKind.all, [1, 400_000, 700_000])
    func rewriting(_ kind: DestinationKind, _ again: Int) throws {
        let tested = try kind.make()
        let segment = segment(3), content = [UInt8].wal(of: segment)
        var most = 0
        for count in [400_000, again] {
            let destination = tested.start()
            _ = try destination.open(origin)
            try destination.begin(segment)
            try destination.writeInPieces(content, 0..<count)
            let written = LSN(rawValue: segment.start.rawValue + UInt64(count))
            try check(destination.sync(), written, segment.start, kind)
            try destination.suspend()
            destination.close()
            most = max(most, count)
            #expect(Array(content.prefix(most)).isHeld(in: try tested.content(of: segment)))
        }
        let destination = tested.start()
        _ = try destination.open(origin)
        try destination.store(segment)
        destination.close()
        #expect(content.isSame(as: try tested.content(of: segment)))
    }

    @Test("takes bytes again that it has taken", arguments: DestinationKind.all)
    func repetition(_ kind: DestinationKind) throws {
        let tested = try kind.make(), destination = tested.start()
        _ = try destination.open(origin)
        let segment = segment(3), content = [UInt8].wal(of: segment)
        try destination.begin(segment)
        try destination.write(content, 0..<200_000)
        try destination.write(content, 0..<200_000)
        try destination.write(content, 200_000..<300_000)
        try destination.write(content, 200_000..<content.count)
        try check(destination.sync(), segment.end, segment.start, kind)
        try destination.finish(segment)
        destination.close()
        #expect(content.isSame(as: try tested.content(of: segment)))
    }

    @Test("keeps histories, the last of each timeline", arguments: DestinationKind.all)
    func history(_ kind: DestinationKind) throws {
        let tested = try kind.make(), destination = tested.start()
        let second = TimelineID(rawValue: 2), third = TimelineID(rawValue: 3)
        let old = TestArchive.history([1: 0x350000]), new = TestArchive.history([1: 0x360000])
        _ = try destination.open(origin)
        try destination.putHistory(second, old)
        try destination.putHistory(third, old)
        #expect(try tested.history(of: second) == old)
        try destination.putHistory(second, old)
        try destination.putHistory(second, new)
        #expect(try tested.history(of: second) == new)
        #expect(try tested.history(of: third) == old)
        destination.close()
    }

    @Test("holds the segment in which a timeline ends once for each", arguments: DestinationKind.all)
    func timelines(_ kind: DestinationKind) throws {
        let tested = try kind.make(), destination = tested.start()
        let old = segment(3), new = segment(3, timeline: 2), fork = 0x50000
        let oldContent = [UInt8].wal(of: old), newContent = [UInt8].wal(of: new)
        _ = try destination.open(origin)
        try destination.begin(old)
        try destination.write(oldContent, 0..<fork)
        try check(destination.sync(), LSN(rawValue: 0x350000), old.start, kind)
        try destination.suspend()
        try destination.putHistory(new.timeline, TestArchive.history([1: 0x350000]))
        try destination.begin(new)
        try destination.write(newContent, 0..<400_000)
        try check(destination.sync(), LSN(rawValue: 0x300000 + 400_000), new.start, kind)
        try destination.suspend()
        destination.close()
        #expect(Array(oldContent.prefix(fork)).isHeld(in: try tested.content(of: old)))
        #expect(Array(newContent.prefix(400_000)).isHeld(in: try tested.content(of: new)))
        let holdings = try tested.start().open(TestArchive.origin(timeline: 2, forks: [1: 0x350000]))
        #expect(holdings.next == position(2, 0x300000))
    }
}

extension ArraySlice<UInt8> {
    fileprivate func isHeld(in other: [UInt8]?) -> Bool { Array(self).isHeld(in: other) }
}
