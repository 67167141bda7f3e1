import Testing
import Understudy
import UnderstudyTestSupport

/// One thing that no server should send, and how it is refused.
struct Attack: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var versions: [PlayedServer.Version]
    var codes: [UnderstudyError.Code]
    /// A part of the message.
    var word: String
    var make: @Sendable (inout PlayedServer) -> Void

    init(
        _ name: String, _ codes: UnderstudyError.Code..., word: String = "",
        versions: [PlayedServer.Version] = PlayedServer.Version.allCases,
        _ make: @escaping @Sendable (inout PlayedServer) -> Void
    ) {
        testDescription = name
        self.versions = versions
        self.codes = codes.isEmpty ? [.protocolViolation] : codes
        self.word = word
        self.make = make
    }

    /// A member that comes before all others of the data directory.
    static func member(
        _ name: String, _ codes: UnderstudyError.Code..., word: String = "",
        versions: [PlayedServer.Version] = PlayedServer.Version.allCases, tar bytes: [UInt8]
    ) -> Attack {
        var attack = Attack(name, word: word, versions: versions) { $0.archives[1] = bytes + $0.archives[1] }
        if !codes.isEmpty { attack.codes = codes }
        return attack
    }
}

/// An attack on a server of one version.
struct AttackOnVersion: Sendable, CustomTestStringConvertible {
    var attack: Attack
    var version: PlayedServer.Version
    var testDescription: String { "\(version): \(attack.testDescription)" }

    static func all(_ attacks: [Attack]) -> [AttackOnVersion] {
        attacks.flatMap { attack in attack.versions.map { AttackOnVersion(attack: attack, version: $0) } }
    }
}

/// A directory in which a backup has its places, beside things that are none of its business.
struct Surroundings {
    let parent: String
    var target: String { "\(parent)/target" }
    var space: String { "\(parent)/space" }
    private let before: [String]

    init() throws {
        parent = try TestDirectory.make("parent")
        try TestDirectory.make(at: "\(parent)/outside", mode: 0o700)
        try TestDirectory.write("precious", to: "\(parent)/outside/file")
        try TestDirectory.write("precious", to: "\(parent)/x")
        before = FileTree.snapshot(parent)
    }

    func backup(_ server: ScriptedServer) -> BaseBackup {
        var backup = BaseBackup(source: "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable")
        backup.options.tablespaceMappings = [.init(from: "/srv/space", to: space)]
        return backup
    }

    func expectUntouched(_ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(FileTree.snapshot(parent) == before, comment, sourceLocation: sourceLocation)
    }
}

/// Runs the attack: it must be refused, and leave nothing.
func expectRefused(_ what: AttackOnVersion) async throws {
    var played = PlayedServer(what.version)
    what.attack.make(&played)
    let server = try played.serve()
    let around = try Surroundings()
    let error = await #expect(throws: UnderstudyError.self) {
        try await around.backup(server).run(into: .directory(around.target))
    }
    let said = String(describing: error)
    if let error {
        #expect(what.attack.codes.contains(error.code), "\(error.code): \(said)")
        #expect(said.contains(what.attack.word), "\(said)")
        #expect(!error.message.isEmpty)
    }
    around.expectUntouched("\(said)")
}
