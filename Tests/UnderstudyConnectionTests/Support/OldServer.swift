import UnderstudyTestSupport

/// How a server of some version behaves when `target_session_attrs` is asked of it.
struct OldServer: Sendable {
    enum Ordinary: Sendable {
        case allowed
        /// pg_hba.conf lets the role in for replication only.
        case refused
        /// The server fills up, or whatever else may happen to a question.
        case failing
    }

    var version: String
    var isStandby: Bool
    var ordinary = Ordinary.allowed
    /// Asks for a password in clear.
    var wantsPassword = false
    /// Answers that it is starting up.
    var isStarting = false

    static func primary(_ version: String) -> OldServer { OldServer(version: version, isStandby: false) }
    static func standby(_ version: String) -> OldServer { OldServer(version: version, isStandby: true) }

    func with(_ change: (inout OldServer) -> Void) -> OldServer {
        var server = self
        change(&server)
        return server
    }

    private var major: Int { Int(version.prefix { $0.isNumber })! }

    func serve() throws -> ScriptedServer {
        try ScriptedServer(
            login: { [self] in .init(answer(to: $0)) },
            script: { [self] login, command in
                .init(answer(to: command, of: login))
            })
    }

    private func answer(to login: ScriptedServer.Login) -> [UInt8] {
        if isStarting { return Wire.error("FATAL", "57P03", "the database system is starting up") }
        if !login.isReplication, ordinary == .refused {
            let user = login.parameters["user"] ?? "", database = login.parameters["database"] ?? ""
            return Wire.error(
                "FATAL", "28000",
                "no pg_hba.conf entry for host \"127.0.0.1\", user \"\(user)\", database \"\(database)\", no encryption"
            )
        }
        var bytes = wantsPassword ? Wire.message("R", [0, 0, 0, 3]) : []
        bytes += Wire.message("R", [0, 0, 0, 0]) + Wire.parameter("server_version", version)
        // From 14 on a server tells by itself.
        if major >= 14 {
            bytes += Wire.parameter("in_hot_standby", isStandby ? "on" : "off")
            bytes += Wire.parameter("default_transaction_read_only", "off")
        }
        return bytes + Wire.ready
    }

    private func answer(to command: String, of login: ScriptedServer.Login) -> [UInt8] {
        if login.isReplication, major < 10 { return Wire.error("ERROR", "42601", "syntax error") + Wire.ready }
        if !login.isReplication, ordinary == .failing {
            return Wire.error("ERROR", "53200", "out of memory") + Wire.ready
        }
        switch command {
        case "SHOW transaction_read_only":
            return Wire.row("transaction_read_only", isStandby ? "on" : "off", tag: "SHOW")
        case "SELECT pg_catalog.pg_is_in_recovery()" where !login.isReplication:
            return Wire.row("pg_is_in_recovery", isStandby ? "t" : "f", tag: "SELECT 1")
        default:
            return Wire.error("ERROR", "XX000", "cannot execute SQL commands in WAL sender for physical replication")
                + Wire.ready
        }
    }
}

/// The server's messages.
///
/// Source: PostgreSQL manual, "Message Formats".
enum Wire {
    static let ready = message("Z", Array("I".utf8))

    static func message(_ kind: Character, _ body: [UInt8]) -> [UInt8] {
        [kind.asciiValue!] + int32(body.count + 4) + body
    }

    static func parameter(_ name: String, _ value: String) -> [UInt8] {
        message("S", text(name) + text(value))
    }

    static func error(_ severity: String, _ state: String, _ text: String) -> [UInt8] {
        let fields: [(Character, String)] = [("S", severity), ("V", severity), ("C", state), ("M", text)]
        return message("E", fields.flatMap { [$0.0.asciiValue!] + Self.text($0.1) } + [0])
    }

    /// One row with one column of type text.
    static func row(_ column: String, _ value: String, tag: String) -> [UInt8] {
        let description = [0, 1] + text(column) + int32(0) + [0, 0] + int32(25) + [0xFF, 0xFF] + int32(-1) + [0, 0]
        return message("T", description) + message("D", [0, 1] + int32(value.utf8.count) + Array(value.utf8))
            + message("C", text(tag)) + ready
    }

    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    private static func int32(_ number: Int) -> [UInt8] {
        let bits = UInt32(bitPattern: Int32(number))
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bits >> $0) }
    }
}
