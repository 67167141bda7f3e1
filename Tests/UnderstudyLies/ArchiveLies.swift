import UnderstudyTestSupport

extension Mutation {
    /// What archives hold.
    static let archives: [Mutation] = [
        // A member more.
        Mutation(16, for: { $0.order.makesCopy }) { lie, random, around in
            let name = Values.names(around.place).randomElement(using: &random)!
            let type: Character =
                switch Int.random(in: 0..<8, using: &random) {
                case 0..<3: "0"
                case 3..<5: "5"
                case 5: "2"
                default: Values.types.randomElement(using: &random)!
                }
            var member = Member(name: Array(name.utf8), type: type)
            if one(in: 20, &random) { member.name.insert(UInt8.random(in: 128...255, using: &random), at: 0) }
            if type == "0" {
                member.content =
                    name.hasSuffix("postmaster.pid") ? Array(lie.pidFile(around).utf8) : Array("lie\n".utf8)
            }
            if type == "5" { member.mode = "0000700 " }
            if type == "1" || type == "2" { member.link = Values.links(around.place).randomElement(using: &random)! }
            let what = lie.insert(member, &random)
            return "a member \(name), type \(type)\(member.link.isEmpty ? "" : " -> \(member.link)"), \(what)"
        },
        // A server that was to have started, and a file that says it has.
        Mutation(6, for: { $0.order.kind == .start }) { lie, random, around in
            let member = Member(name: Array("postmaster.pid".utf8), content: Array(lie.pidFile(around).utf8))
            lie.mustFail = "no server starts"
            return "postmaster.pid, \(lie.insert(member, &random))"
        },
        // A link, and what goes through it.
        Mutation(3, for: { $0.order.makesCopy }) { lie, random, around in
            let target = Values.links(around.place).randomElement(using: &random)!
            let name = ["link", "pg_tblspc/16385", "pg_tblspc/16999", lie.release.walDirectory, "base/2"].randomElement(
                using: &random)!
            _ = lie.insert(.link(name, to: target), at: 0)
            let what = lie.insert(.file("\(name)/file", Array("lie\n".utf8)), &random)
            return "a link \(name) -> \(target), and a file through it, \(what)"
        },
        // A field of one that is there.
        Mutation(12, for: { $0.order.makesCopy }) { lie, random, around in
            let archive = lie.tale.archives.indices.filter { !lie.tale.archives[$0].isEmpty }.randomElement(
                using: &random)!
            let index = Int.random(in: 0..<lie.tale.archives[archive].count, using: &random)
            var member = lie.tale.archives[archive][index]
            let old = member.path
            let what: String
            switch Int.random(in: 0..<7, using: &random) {
            case 0:
                let name = Values.names(around.place).randomElement(using: &random)!
                member.name = Array(name.utf8)
                what = "called \(name)"
            case 1:
                member.mode = Values.modes.randomElement(using: &random)!
                what = "of mode \(member.mode)"
            case 2:
                member.size = Values.sizes.randomElement(using: &random)!
                what = "of size \(member.size!)"
            case 3:
                member.type = Values.types.randomElement(using: &random)!
                what = "of type \(member.type)"
            case 4:
                member.link = Values.links(around.place).randomElement(using: &random)!
                what = "with link \(member.link)"
            case 5:
                member.checksum = ["0000001\0", "\0\0\0\0\0\0\0\0", "7777777\0", "        "].randomElement(
                    using: &random)!
                what = "of checksum \(member.checksum!)"
            default:
                if member.content.isEmpty {
                    member.content = [7]
                } else {
                    member.content[Int.random(in: 0..<member.content.count, using: &random)] ^= 1
                }
                what = "with another byte"
            }
            lie.tale.archives[archive][index] = member
            return "\(old) \(what)\(lie.reconsider(&random))"
        },
        // Which ones there are, and in which order.
        Mutation(6, for: { $0.order.makesCopy }) { lie, random, _ in
            let archive = lie.tale.archives.indices.filter { !lie.tale.archives[$0].isEmpty }.randomElement(
                using: &random)!
            let index = Int.random(in: 0..<lie.tale.archives[archive].count, using: &random)
            let member = lie.tale.archives[archive][index]
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                lie.tale.archives[archive].append(member)
                return "\(member.path) twice"
            case 1:
                lie.tale.archives[archive].remove(at: index)
                return "without \(member.path)\(lie.reconsider(&random))"
            case 2:
                lie.tale.archives[archive].shuffle(using: &random)
                return "archive \(archive) in another order\(lie.reconsider(&random))"
            default:
                let other = lie.tale.archives.indices.randomElement(using: &random)!
                lie.tale.archives[other].append(member)
                return "\(member.path) in archive \(other), too\(lie.reconsider(&random))"
            }
        },
        // The bytes.
        Mutation(8, for: { $0.order.makesCopy }) { lie, random, _ in
            let place = Int.random(in: 0..<1_000_000, using: &random), value = UInt8.random(in: 1...255, using: &random)
            let count = Int.random(in: 1...2000, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                lie.tale.archiveEdits.append { if !$0.isEmpty { $0[place % $0.count] ^= value } }
                return "byte \(place) of each archive changed by \(value)"
            case 1:
                lie.tale.archiveEdits.append { $0.removeLast(place % ($0.count + 1)) }
                return "each archive cut short by \(place) bytes (modulo)"
            case 2:
                lie.tale.archiveEdits.append { $0 += [UInt8](repeating: value, count: count) }
                return "\(count) bytes behind each archive"
            default:
                lie.tale.archiveEdits.append {
                    $0.insert(contentsOf: [UInt8](repeating: value, count: count), at: place % ($0.count + 1))
                }
                return "\(count) bytes within each archive"
            }
        },
        // How archives are announced in the copy.
        Mutation(4, for: { $0.order.makesCopy && $0.release.form.hasOneCopy }) { lie, random, around in
            let index = Int.random(in: 0..<lie.tale.played.archiveNames.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                lie.tale.played.archiveNames[index].0 =
                    (["16386.tar", "base.tar", "16385.tar", "base.tar.gz", "../x.tar", "0.tar"] + Values.texts)
                    .randomElement(using: &random)!
                return "an archive called \(lie.tale.played.archiveNames[index].0.prefix(200))"
            case 1:
                lie.tale.played.archiveNames[index].1 = (Values.locations(around.place) + Values.texts).randomElement(
                    using: &random)!
                return "an archive at \(lie.tale.played.archiveNames[index].1.prefix(200))"
            case 2:
                lie.tale.archives.append(lie.tale.archives[index])
                lie.tale.played.archiveNames.append(lie.tale.played.archiveNames[index])
                return "an archive twice"
            case 3:
                lie.tale.archives.reverse()
                lie.tale.played.archiveNames.reverse()
                return "archives in reverse"
            default:
                let garbage = (0..<Int.random(in: 0..<30, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                let message = [["n", "d", "p", "m", "z"].randomElement(using: &random)!.utf8.first!] + garbage
                switch Int.random(in: 0..<3, using: &random) {
                case 0: lie.tale.played.before.append(message)
                case 1: lie.tale.played.between.append(message)
                default: lie.tale.played.behind.append(message)
                }
                return "a message \(message) in the copy"
            }
        },
        // Contents without end: sizes that are true, and more than a disk or memory has.
        Mutation(1, for: { $0.order.makesCopy && $0.isRare }) { lie, random, _ in
            let block = [UInt8](repeating: 0x41, count: 1 << 16)
            var head = ServerBytes()
            head.rows(2, lie.tale.played.start)
            head.rows(3, lie.tale.played.tablespaces)
            head.copyOut()
            let prefix: [UInt8] = lie.release.form.hasOneCopy ? [UInt8(ascii: "d")] : []
            if lie.release.form.hasOneCopy {
                let archive = lie.tale.played.archiveNames[0]
                head.data([UInt8(ascii: "n")] + ServerBytes.string(archive.0) + ServerBytes.string(archive.1))
            }
            var member = Member.file("\(lie.release.tablespaceDirectory)/5/large", [])
            member.size = Array("01777777777 ".utf8)
            let isContent = one(in: 2, &random)
            head.data(prefix + lie.tale.archives[0].prefix(2).flatMap(\.bytes) + (isContent ? member.bytes : []))
            var piece = ServerBytes()
            // Content of one member, or empty members without end.
            piece.data(prefix + (isContent ? block : Member.file("x", []).bytes))
            let moment = lie.moment
            lie.tale.played.answers["BASE_BACKUP"] = .endless(
                head.bytes, piece.bytes, bytes: isContent ? 100 << 20 : 300 << 20, moment)
            return "a copy without end: \(isContent ? "content of one member" : "one member again and again")"
        },
    ]
}

extension Lie {
    /// Rare lies cost much.
    var isRare: Bool { number % 4 == 0 }

    /// What a server writes that was started, of which this speaks falsely.
    fileprivate func pidFile(_ around: Mutation.Around) -> String {
        """
        \(around.bystander)
        \(around.place.target)
        1790000000
        \(around.stranger)

        127.0.0.1
          5432001    131072
        ready   

        """
    }

    fileprivate mutating func insert(_ member: Member, _ random: inout SplitMix64) -> String {
        insert(member, at: Int.random(in: 0..<100, using: &random)) + reconsider(&random)
    }

    fileprivate mutating func insert(_ member: Member, at place: Int) -> String {
        let archive = place % 5 == 0 ? 0 : tale.archives.count - 1
        let index = place % (tale.archives[archive].count + 1)
        tale.archives[archive].insert(member, at: index)
        return "at place \(index) of archive \(archive)"
    }

    /// The manifest agrees with what is false, or does not.
    fileprivate mutating func reconsider(_ random: inout SplitMix64) -> String {
        guard order.hasManifest, one(in: 2, &random), tale.archives.count == 2 else { return "" }
        tale.manifest.list(tale.archives)
        contentMayDiffer = true
        // It does not say any more what it said before.
        if order.kind != .start { mustFail = nil }
        return ", as the manifest says"
    }
}

extension ScriptedServer.Answer {
    /// An answer that says the same again and again.
    ///
    /// - Parameters:
    ///   - bytes: The least that is said until the moment comes; it goes on until nobody is there.
    static func endless(_ head: [UInt8], _ piece: [UInt8], bytes: Int, _ moment: Moment) -> Self {
        // Few calls to the kernel for each.
        let times = max(1, (1 << 16) / piece.count)
        let many = Array(repeatElement(piece, count: times).joined())
        var answer = Self(head)
        answer.pieces = {
            var said = 0
            return AnySequence(
                AnyIterator {
                    if said >= bytes { moment.come() }
                    said += many.count
                    return many
                })
        }
        answer.endsConnection = true
        return answer
    }
}
