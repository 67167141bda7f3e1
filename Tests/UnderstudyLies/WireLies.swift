import Glibc
import UnderstudyTestSupport

extension Mutation {
    /// What becomes of an answer on its way: any message may be another, come elsewhere, or not at all.
    static let wire: [Mutation] = [
        Mutation(34) { lie, random, _ in
            let command = lie.commands.randomElement(using: &random)!
            let seed = random.next(), moment = lie.moment
            var chooser = SplitMix64(state: seed)
            let kind = WireChange.pick(&chooser, isRare: lie.isRare)
            let occurrence = one(in: 5, &random) ? Int.random(in: 0...3, using: &random) : 0
            lie.tale.wire.append(
                WireLie(command: command, occurrence: occurrence) { answer in
                    var random = SplitMix64(state: seed)
                    kind.make(&answer, &random, moment)
                })
            if kind.changesContent { lie.isWireChanged = true }
            if command == "START_REPLICATION" { lie.walMayDiffer = true }
            if command == "login" { lie.isOtherVersion = true }
            return "the answer to \(command) (\(occurrence)): \(kind)"
        }
    ]
}

extension Lie {
    /// What the program asks in this call.
    fileprivate var commands: [String] {
        var commands = ["login", "IDENTIFY_SYSTEM", "SHOW wal_segment_size"]
        switch order.kind {
        case .backup, .clone, .start:
            commands += ["BASE_BACKUP", "BASE_BACKUP", "SHOW"]
            if order.streamsWAL { commands += ["START_REPLICATION", "CREATE_REPLICATION_SLOT"] }
            if order.words.contains("mine") { commands += ["CREATE_REPLICATION_SLOT", "DROP_REPLICATION_SLOT"] }
            if order.kind != .backup { commands += ["SELECT", "ordinary login"] }
        case .receive:
            commands += [
                "START_REPLICATION", "START_REPLICATION", "START_REPLICATION", "SHOW", "SELECT", "ordinary login",
            ]
            if tale.next != nil { commands += ["TIMELINE_HISTORY", "START_REPLICATION"] }
            if order.words.contains("mine") { commands += ["READ_REPLICATION_SLOT", "CREATE_REPLICATION_SLOT"] }
        case .slot: commands += ["CREATE_REPLICATION_SLOT", "DROP_REPLICATION_SLOT"]
        }
        return commands
    }
}

/// A change of an answer's bytes.
enum WireChange: String, CaseIterable, Sendable {
    case flips, cut, cutAndSilence, twice, without, exchanged, inserted, wrongLength, hugeLength, field, dribble,
        silence
    case endlessNotices, slowNotices, endlessMessages, nothing, error, notice, otherBytes, flood, lateEnd

    static func pick(_ random: inout SplitMix64, isRare: Bool) -> WireChange {
        let change = allCases.randomElement(using: &random)!
        switch change {
        case .flood, .endlessMessages, .endlessNotices: return isRare && one(in: 2, &random) ? change : .flips
        default: return change
        }
    }

    /// Whether what is told may have become another, or is said only differently.
    var changesContent: Bool { ![.dribble, .notice, .slowNotices, .endlessNotices, .silence, .lateEnd].contains(self) }

    func make(_ answer: inout ScriptedServer.Answer, _ random: inout SplitMix64, _ moment: Moment) {
        _ = random.next()
        // Before or behind where the client ends its side of the copy.
        let hold = answer.holdsFrom ?? answer.bytes.count
        let isHead = answer.holdsFrom == nil || hold == answer.bytes.count || !one(in: 4, &random)
        var messages = Wire.messages(Array(isHead ? answer.bytes[..<hold] : answer.bytes[hold...]))
        let index = messages.isEmpty ? 0 : Int.random(in: 0..<messages.count, using: &random)
        func stop(at place: Int? = nil) {
            // What was said, and nothing more.
            let said = messages[..<index].joined()
            answer = .init(
                Array(isHead ? [] : answer.bytes[..<hold]) + said
                    + (messages.isEmpty ? [] : messages[index].prefix(place ?? 0)), holdsFrom: isHead ? nil : hold)
        }
        switch self {
        case .flips:
            for _ in 0..<Int.random(in: 1...4, using: &random) where !messages.isEmpty && !messages[index].isEmpty {
                let place = Int.random(in: 0..<messages[index].count, using: &random)
                messages[index][place] ^= UInt8.random(in: 1...255, using: &random)
            }
        case .cut:
            stop(at: Int.random(in: 0...20, using: &random))
            answer.endsConnection = true
            return
        case .cutAndSilence, .silence:
            stop(at: self == .silence ? 0 : Int.random(in: 0...20, using: &random))
            answer.waits(moment)
            return
        case .twice: if !messages.isEmpty { messages.insert(messages[index], at: index) }
        case .without: if !messages.isEmpty { messages.remove(at: index) }
        case .exchanged:
            messages.swapAt(index, messages.isEmpty ? 0 : Int.random(in: 0..<messages.count, using: &random))
        case .inserted: messages.insert(Self.message(&random), at: index)
        case .wrongLength:
            if !messages.isEmpty, messages[index].count >= 5 {
                messages[index][4] &+= UInt8.random(in: 1...255, using: &random)
            }
        case .hugeLength:
            let length: UInt32 = [0, 1, 3, 4, 0x3FFF_FFFF, 0x4000_0000, 0x7FFF_FFFF, 0x8000_0000, .max].randomElement(
                using: &random)!
            if !messages.isEmpty, messages[index].count >= 5 {
                messages[index].replaceSubrange(1..<5, with: ServerBytes.integer(length))
            }
            answer = .init(Array(messages.joined()))
            if one(in: 2, &random) { answer.endsConnection = true } else { answer.waits(moment) }
            return
        case .field:
            let value = Values.any(&random), choice = Int.random(in: 0..<100, using: &random)
            let rows = messages.indices.filter { messages[$0].first == UInt8(ascii: "D") }
            if let row = rows.randomElement(using: &random), let changed = Wire.row(messages[row], with: value, choice)
            {
                messages[row] = changed
            }
        case .dribble:
            let bytes = isHead ? Array(answer.bytes[..<hold]) : answer.bytes
            let count = min(bytes.count, 400)
            guard isHead else { return }
            // One byte after the other, and then the rest at once; what is held is said when all is said.
            var tail = Array(answer.bytes[hold...])
            swap(&tail, &answer.tail)
            answer.tail += tail
            let waits = answer.holdsFrom != nil
            answer.bytes = []
            answer.holdsFrom = nil
            guard answer.pieces == nil, answer.talk == nil else { return }
            answer.pieces = { AnySequence(bytes[..<count].map { [$0] } + [Array(bytes[count...])]) }
            if waits { answer.talk = { try $0.waitForCopyDone() } }
            return
        case .endlessNotices, .slowNotices:
            stop()
            let notice = Notices.fields("N", &random, state: "01000", text: Values.any(&random))
            if self == .endlessNotices {
                answer = .endless(answer.bytes, notice, bytes: 1 << 20, moment)
            } else {
                answer.pieces = {
                    moment.come()
                    return AnySequence(
                        AnyIterator {
                            usleep(100_000)
                            return notice
                        })
                }
            }
            return
        case .endlessMessages:
            stop()
            answer = .endless(
                answer.bytes, messages.isEmpty || one(in: 3, &random) ? Self.message(&random) : messages[index],
                bytes: 3 << 20, moment)
            return
        case .nothing:
            answer = .init([], endsConnection: one(in: 2, &random))
            if !answer.endsConnection { answer.waits(moment) }
            return
        case .error:
            messages.insert(Notices.fields("E", &random, state: "XX000", text: Values.any(&random)), at: index)
        case .notice:
            messages.insert(Notices.fields("N", &random, state: "01000", text: Values.any(&random)), at: index)
        case .otherBytes:
            let garbage = (0..<Int.random(in: 1..<300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            answer = .init(garbage, endsConnection: true)
            return
        case .flood:
            // One message of 300 MB.
            stop()
            let kind: Character = ["D", "d", "N", "E", "S", "T", "A"].randomElement(using: &random)!
            var head = ServerBytes()
            head.message(kind, [0, 1] + ServerBytes.integer(UInt32(300 << 20)), length: UInt32(10 + 300 << 20))
            answer = .endless(
                answer.bytes + head.bytes, [UInt8](repeating: 0x41, count: 1 << 16), bytes: 300 << 20, moment)
            return
        case .lateEnd:
            answer.waits(moment)
            return
        }
        let changed = Array(messages.joined())
        if isHead {
            answer.bytes = changed + answer.bytes[hold...]
            if answer.holdsFrom != nil { answer.holdsFrom = changed.count }
        } else {
            answer.bytes = answer.bytes[..<hold] + changed
        }
    }

    /// Any message of the protocol, with what may be in it.
    private static func message(_ random: inout SplitMix64) -> [UInt8] {
        var bytes = ServerBytes()
        let kinds = Array("RKSNEACDGHIJTVWZcdnst123v")
        let kind = kinds.randomElement(using: &random)!
        switch kind {
        case "S": bytes.message(kind, ServerBytes.string(Values.any(&random)) + ServerBytes.string(Values.any(&random)))
        case "N", "E": return Notices.fields(kind, &random, state: "XX000", text: Values.any(&random))
        case "C": bytes.complete(Values.any(&random))
        case "Z": bytes.ready()
        case "H", "W", "G": bytes.message(kind, [0, 0, 0])
        case "c": bytes.copyDone()
        case "A":
            bytes.message(
                kind,
                ServerBytes.integer(UInt32(7)) + ServerBytes.string(Values.any(&random))
                    + ServerBytes.string(Values.any(&random)))
        default:
            bytes.message(
                kind,
                (0..<Int.random(in: 0..<60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        return bytes.bytes
    }
}

extension ScriptedServer.Answer {
    /// Nothing more is said, but who is there is heard.
    mutating func waits(_ moment: Moment) {
        tail = []
        pieces = nil
        talk = { talk in
            moment.come()
            while true { try talk.status() }
        }
        endsConnection = true
    }
}
