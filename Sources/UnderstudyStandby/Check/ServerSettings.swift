import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol

/// A server's settings by name, as far as they are known: what a clone and a check go by.
struct ServerSettings: Sendable, Equatable {
    private var settings: [String: CheckSQL.Setting] = [:]

    init(_ settings: [String: CheckSQL.Setting] = [:]) {
        self.settings = settings
    }

    /// Those that the role may read, over an ordinary connection.
    init(_ names: [String], _ session: Session) {
        self.init((try? session.ask(.settings(names))) ?? [:])
    }

    /// Over a replication connection, which does not tell them before 10.
    init(showing names: [String], _ session: Session) {
        guard session.serverVersion.showsSettings else { return }
        for name in names {
            if let value = try? session.show(name) { settings[name] = CheckSQL.Setting(value) }
        }
    }

    subscript(name: String) -> String? { settings[name]?.value }

    /// A whole number, as the server has it: of 32 bits.
    func number(_ name: String) -> Int? { self[name].flatMap { Int32($0) }.map { Int($0) } }

    /// The file that has the setting; nil if that is not known.
    func file(_ name: String) -> String? { settings[name]?.file }
}

extension ReplicationQuery where Value == [String: CheckSQL.Setting] {
    static func settings(_ names: [String]) -> Self { CheckSQL.settings(names) }
}

/// Why a physical slot cannot serve a standby.
enum SlotFlaw {
    static let lost = "the WAL that it needs has been removed"
}
