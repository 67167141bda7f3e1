import UnderstudyTestSupport

extension Mutation {
    /// What the WAL stream says.
    static let streams: [Mutation] = [
        Mutation(14, for: { $0.order.streamsWAL }) { lie, random, _ in
            var messages = lie.tale.played.wal.flatMap { Wire.messages($0) }
            if messages.isEmpty { messages = lie.tale.played.wal }
            let index = Int.random(in: 0..<messages.count, using: &random)
            let odd: [UInt64] = [
                0, 1, Tale.start, Tale.start - 0x100, Tale.start + 0x200, 0x400_0000, 1 << 32, 1 << 63, .max - 0xFF,
                .max,
            ]
            let position = odd.randomElement(using: &random)!
            var bytes = ServerBytes()
            let what: String
            lie.walMayDiffer = true
            switch Int.random(in: 0..<12, using: &random) {
            case 0:
                messages.remove(at: index)
                what = "message \(index) is missing"
            case 1:
                messages.insert(messages[index], at: index)
                what = "message \(index) comes twice"
            case 2:
                messages.shuffle(using: &random)
                what = "messages in another order"
            case 3:
                bytes.wal(at: position, [UInt8](repeating: 1, count: Int.random(in: 0...0x3000, using: &random)))
                messages.insert(bytes.bytes, at: index)
                what = "WAL at \(position)"
            case 4:
                bytes.keepalive(at: position, asksForReply: one(in: 2, &random))
                messages.insert(bytes.bytes, at: index)
                what = "a keepalive of \(position)"
            case 5:
                for _ in 0..<5000 { bytes.keepalive(at: Tale.start, asksForReply: true) }
                messages.insert(bytes.bytes, at: index)
                what = "5000 keepalives that want answers"
            case 6:
                let kind = UInt8.random(in: 0...255, using: &random)
                bytes.data(
                    [kind]
                        + (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                            UInt8.random(in: 0...255, using: &random)
                        })
                messages.insert(bytes.bytes, at: index)
                what = "a message of kind \(kind)"
            case 7:
                let place = Int.random(in: 5..<max(6, messages[index].count), using: &random) % messages[index].count
                messages[index][place] ^= UInt8.random(in: 1...255, using: &random)
                what = "byte \(place) of message \(index) is another"
            case 8:
                bytes.copyDone()
                messages.insert(bytes.bytes, at: index)
                what = "the end of the copy before message \(index)"
            case 9:
                bytes.wal(
                    at: Tale.start,
                    ServerBytes.walPages(
                        at: Tale.start, count: 0x1000, timeline: UInt32.random(in: 0...3, using: &random),
                        system: one(in: 2, &random) ? "77" : Tale.system,
                        segmentSize: 1 << UInt64.random(in: 13...32, using: &random)))
                messages[0] = bytes.bytes
                what = "a first page of another kind"
            case 10:
                bytes.raw(
                    Notices.fields(one(in: 2, &random) ? "E" : "N", &random, state: "57P01", text: Values.any(&random)))
                messages.insert(bytes.bytes, at: index)
                what = "an error or a notice before message \(index)"
            default:
                messages = messages.map { message in Wire.split(message, &random) }
                what = "WAL in other pieces"
            }
            lie.tale.played.wal = messages
            return "the stream: \(what)"
        },
        // The end of a timeline, and the next.
        Mutation(6, for: { $0.order.kind == .receive }) { lie, random, _ in
            let timeline = one(in: 2, &random) ? "2" : Values.timelines.randomElement(using: &random)!
            let position = ["0/3000100", "0/3004000", "0/3000000"].randomElement(using: &random)!
            lie.tale.next = [
                [timeline, one(in: 2, &random) ? position : Values.positions.randomElement(using: &random)!]
            ]
            let name =
                one(in: 2, &random)
                ? "00000002.history"
                : (["../x", "00000003.history", "/etc/passwd"] + Values.texts).randomElement(using: &random)!
            let content: String? =
                switch Int.random(in: 0..<6, using: &random) {
                case 0: "1\t\(position)\tno reason\n"
                case 1: "1\t\(Values.positions.randomElement(using: &random)!)\tx\n"
                case 2: nil
                case 3: "\(Values.any(&random))\t0/3000100\t\(Values.any(&random))\n"
                case 4: String(repeating: "1\t0/3000100\t\(Verdict.forged)\n", count: 1000)
                default: Values.any(&random)
                }
            lie.tale.history = [[name, content]]
            lie.walMayDiffer = true
            return "the timeline ends: \(lie.tale.next!), \(name.prefix(100)), \((content ?? "NULL").prefix(200))"
        },
        // The server was on a later timeline from the start.
        Mutation(2, for: { $0.order.kind == .receive }) { lie, random, _ in
            set("2", at: 0, 1, of: &lie.tale.played.identity)
            let content = one(in: 2, &random) ? "1\t0/3000100\tx\n" : Values.any(&random)
            lie.tale.history = [["00000002.history", content]]
            lie.walMayDiffer = true
            return "a server on timeline 2, with a history of \(content.prefix(200))"
        },
        // Switches without end: each timeline is over at once.
        Mutation(2, for: { $0.order.kind == .receive && $0.isRare }) { lie, random, _ in
            let moment = lie.moment
            lie.tale.endlessSwitches = { timeline in
                if timeline > 200 { moment.come() }
            }
            lie.walMayDiffer = true
            return "switches of timeline without end"
        },
        Mutation(1, for: { $0.order.kind == .receive && $0.isRare }) { lie, random, _ in
            set("2", at: 0, 1, of: &lie.tale.played.identity)
            let megabytes = [1, 20, 100].randomElement(using: &random)!
            let line = one(in: 2, &random) ? Array("1\t0/3000100\tx\n".utf8) : [UInt8](repeating: 0x41, count: 14)
            let pieces = megabytes << 20 / (line.count * 5000)
            let name = Array("00000002.history".utf8), count = pieces * line.count * 5000
            var bytes = ServerBytes()
            bytes.rows(2, [])
            // Without the end of the command: the row comes before it.
            let complete = Wire.messages(bytes.bytes)
            var row = ServerBytes()
            row.message(
                "D",
                ServerBytes.integer(UInt16(2)) + ServerBytes.integer(UInt32(name.count)) + name
                    + ServerBytes.integer(UInt32(count)), length: UInt32(4 + 2 + 4 + name.count + 4 + count))
            var answer = ScriptedServer.Answer(complete[0] + row.bytes)
            let many = Array(repeatElement(line, count: 5000).joined())
            answer.pieces = { AnySequence(repeatElement(many, count: pieces)) }
            var tail = ServerBytes()
            tail.complete("SELECT")
            tail.ready()
            answer.tail = tail.bytes
            lie.tale.played.answers["TIMELINE_HISTORY"] = answer
            lie.walMayDiffer = true
            return "a history of \(megabytes) MB"
        },
        // Questions without end by one who does not listen.
        Mutation(2, for: { $0.order.streamsWAL && $0.isRare }) { lie, random, _ in
            var head = ServerBytes(), piece = ServerBytes()
            head.copyBoth()
            head.wal(at: Tale.start, [])
            for _ in 0..<1000 { piece.keepalive(at: Tale.start, asksForReply: true) }
            lie.tale.played.answers["START_REPLICATION"] = .endless(
                head.bytes, piece.bytes, bytes: [1, 30].randomElement(using: &random)! << 20, lie.moment)
            return "keepalives without end that want answers, which nobody reads"
        },
    ]
}
