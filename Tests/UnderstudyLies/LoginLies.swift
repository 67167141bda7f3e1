import UnderstudyTestSupport

extension Mutation {
    /// What is said at a login, before any command.
    static let logins: [Mutation] = [
        Mutation(4) { lie, random, _ in
            let index = Int.random(in: 0..<lie.tale.settings.count, using: &random)
            let name = lie.tale.settings[index].name
            let value = name == "server_version" ? Values.versions.randomElement(using: &random)! : Values.any(&random)
            lie.tale.settings[index].value = value
            lie.isOtherVersion = name == "server_version"
            return "\(name) is \(value.prefix(200))"
        },
        Mutation(1) { lie, random, _ in
            let setting = lie.tale.settings.randomElement(using: &random)!.name
            lie.tale.settings.removeAll { $0.name == setting }
            lie.isOtherVersion = setting == "server_version"
            return "without \(setting)"
        },
        Mutation(3) { lie, random, _ in
            let name = Values.any(&random), value = Values.any(&random)
            let times = one(in: 5, &random) ? 10_000 : 1
            // A text with a NUL would end there.
            lie.tale.settings += Array(
                repeating: (name, value), count: name.utf8.count + value.utf8.count > 1000 ? 1 : times)
            return "a setting \(name.prefix(200)) = \(value.prefix(200))"
        },
        Mutation(5) { lie, random, _ in
            let text = Values.any(&random),
                state = ["28P01", "28000", "57P03", "3D000", "53300", "0A000", "XX000", ""].randomElement(
                    using: &random)!
            let error = Notices.fields("E", &random, state: state, text: text)
            let isOrdinary = one(in: 5, &random) && lie.order.kind == .receive
            let welcome = lie.tale.welcomeBytes
            lie.tale.login = { login in
                isOrdinary && login.isReplication ? .init(welcome) : .init(error, endsConnection: true)
            }
            return "a login refused with \(state), \(text.prefix(200))"
        },
        Mutation(5) { lie, random, _ in
            let (name, request) = Self.request(&random)
            let rest = lie.tale.welcomeBytes
            let goesOn = one(in: 2, &random)
            lie.tale.login = { _ in .init(request + (goesOn ? rest : []), endsConnection: !goesOn) }
            return "an authentication request: \(name)"
        },
    ]

    private static func request(_ random: inout SplitMix64) -> (String, [UInt8]) {
        var bytes = ServerBytes()
        func request(_ code: UInt32, _ more: [UInt8] = []) { bytes.message("R", ServerBytes.integer(code) + more) }
        let garbage = (0..<Int.random(in: 0..<60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
        }
        switch Int.random(in: 0..<9, using: &random) {
        case 0:
            request(3)
            return ("the password in clear", bytes.bytes)
        case 1:
            request(5, Array(garbage.prefix(4)))
            return ("MD5 with a salt of \(garbage.prefix(4).count) bytes", bytes.bytes)
        case 2:
            request(10, ServerBytes.string("SCRAM-SHA-256") + [0])
            let nonce = ["r=x,s=QUJD,i=4096", "r=,s=,i=0", "s=QUJD", "e=other-error", "", "r=\u{1B}[31m,s=!,i=-1"]
                .randomElement(using: &random)!
            request(11, Array(nonce.utf8))
            return ("SCRAM, then \(nonce)", bytes.bytes)
        case 3:
            request(10, ServerBytes.string("SCRAM-SHA-256") + [0])
            request(12, garbage)
            return ("SCRAM that is over at once", bytes.bytes)
        case 4:
            let name = Values.any(&random)
            request(10, ServerBytes.string(name) + [0])
            return ("SASL by \(name.prefix(100))", bytes.bytes)
        case 5:
            request(UInt32.random(in: 0...20, using: &random), garbage)
            return ("of any kind, with garbage", bytes.bytes)
        case 6:
            bytes.message(
                "v",
                ServerBytes.integer(UInt32(3 << 16)) + ServerBytes.integer(UInt32(1))
                    + ServerBytes.string("_pq_.\u{1B}x"))
            return ("another protocol version", bytes.bytes)
        case 7:
            for _ in 0..<1000 { request(3) }
            return ("the password in clear, a thousand times", bytes.bytes)
        default:
            request(.max, garbage)
            return ("the last number", bytes.bytes)
        }
    }
}

/// Errors and notices with all fields that there are.
enum Notices {
    static func fields(_ kind: Character, _ random: inout SplitMix64, state: String, text: String) -> [UInt8] {
        var bytes = ServerBytes()
        var body: [UInt8] = []
        func add(_ code: Character, _ value: String) {
            body += Array(String(code).utf8) + ServerBytes.string(value.replacing("\0", with: ""))
        }
        let severity =
            one(in: 4, &random)
            ? Values.any(&random)
            : kind == "E" ? ["ERROR", "FATAL", "PANIC"].randomElement(using: &random)! : "WARNING"
        add("S", severity)
        if !one(in: 5, &random) { add("V", kind == "E" ? "ERROR" : "WARNING") }
        if !one(in: 10, &random) { add("C", state) }
        if !one(in: 10, &random) { add("M", text) }
        for code in "DHPpqWstcdnFLRZ" where one(in: 3, &random) { add(code, Values.any(&random)) }
        if !one(in: 10, &random) { body.append(0) }
        bytes.message(kind, body)
        return bytes.bytes
    }
}
