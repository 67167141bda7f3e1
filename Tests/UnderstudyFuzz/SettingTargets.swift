@testable import UnderstudyConfiguration
@testable import UnderstudyConnection
@testable import UnderstudyStandby

/// A postgresql.conf, postgresql.auto.conf or recovery.conf as people and servers have left it.
func fuzzSettings(_ bytes: [UInt8]) {
    let read = ConfigurationLine.read(String(decoding: bytes, as: UTF8.self))
    precondition(ConfigurationLine.read(read.map(\.text).joined()) == read, "other settings when they are read again")

    let document = ConfigurationDocument(bytes)
    precondition(document.bytes == bytes, "a file changes when nothing is set")
    let setting = StandbyConfiguration.Setting("primary_conninfo", "it's \\ %")
    var changed = document
    changed.set([setting])
    precondition(changed["primary_conninfo"] == setting.value, "another value than was set")
    precondition(ConfigurationDocument(changed.bytes) == changed, "another file when it is read again")
    let others = { (document: ConfigurationDocument) in document.settings.filter { $0.name != setting.name } }
    precondition(others(changed) == others(document), "other settings are touched")
    var again = changed
    again.set([setting])
    precondition(again == changed, "the second time changes something")

    // Whatever is in the files that are changed; the length says for which version.
    let version = [90_300, 110_000, 180_000][bytes.count % 3]
    var configuration = StandbyConfiguration(serverVersion: version, primaryConnInfo: "host=a")
    configuration.recoveryTarget = RecoveryTarget(.transaction(7), action: .promote)
    var files = Dictionary(uniqueKeysWithValues: configuration.fileNames.map { ($0, bytes) })
    for change in configuration.changes(to: files) { files[change.name] = change.new }
    precondition(configuration.changes(to: files) == [], "the second run changes something")
    for line in bytes.split(separator: 10) {
        _ = HiddenSecrets.settingLine(String(decoding: line, as: UTF8.self))
        _ = HiddenSecrets.passfileLine(String(decoding: line, as: UTF8.self))
    }
}

/// A connection string or URI, which libpq reads and we print.
func fuzzConnInfo(_ bytes: [UInt8]) {
    guard !bytes.contains(0), let parameters = try? ConnectionParameters(String(decoding: bytes, as: UTF8.self)) else {
        return
    }
    let settings = ConnectionSettings(parameters.settings.map { .init($0.keyword, $0.value) })
    guard let again = try? ConnectionParameters(settings.conninfo) else {
        preconditionFailure("libpq does not read what was printed")
    }
    precondition(again == parameters, "another connection when it is read again")
    for version in [90_300, 150_000, 190_000] {
        guard let info = try? PrimaryConnInfo(given: settings, forServer: version, password: "p", in: .inline) else {
            continue
        }
        precondition(
            info.settings.settings.allSatisfy { LibpqKeyword.isKnown($0.keyword, serverVersion: version) },
            "a keyword that the server does not know")
    }
}
