import UnderstudyConfiguration

/// A pg_hba.conf that somebody has written. The first byte says which version reads it, the second where a rule is put.
func fuzzHostRules(_ bytes: [UInt8]) {
    guard bytes.count >= 2 else { return }
    let versions = [90_300, 130_000, 150_000, 160_000, 190_000], version = versions[Int(bytes[0]) % versions.count]
    let text = Array(bytes.dropFirst(2)), file = HostRulesFile(text, version: version)
    precondition(file.bytes == text, "bytes are lost")
    precondition(HostRulesFile(file.bytes, version: version) == file, "another file when it is read again")
    var number = 1
    for line in file.lines {
        precondition(line.number == number && !line.bytes.isEmpty, "a line that is none")
        number += max(1, line.bytes.count { $0 == UInt8(ascii: "\n") })
    }
    let question = HostQuestion(.network(HostNetwork("10.0.0.7")!), hasTLS: true, role: "r")
    let index = Int(bytes[1]) % (file.lines.count + 1)
    var rules = HostRules(file, version: version)
    rules.file.insert("hostssl  replication  r  10.0.0.7/32  md5", above: index, version: version)
    let contents = file.lines.map(\.content), now = rules.file.lines.map(\.content)
    // A carriage return in front of a backslash that ends the file is gone once a line follows.
    let above = index == contents.count ? max(0, index - 1) : index
    precondition(now.starts(with: contents[..<above]), "a line above the new one has changed")
    precondition(Array(now.suffix(contents.count - index)) == Array(contents[index...]), "a line below has changed")
    // Put above the line that catches the connection, a rule lets it in.
    guard case .caught(let place) = HostRules(file, version: version).decide(question, methods: ["md5"]) else { return }
    rules.file = file
    rules.file.insert("hostssl  replication  r  10.0.0.7/32  md5", above: place, version: version)
    guard case .admitted = rules.decide(question, methods: ["md5"]) else { fatalError("the new rule does not count") }
}

/// A postgresql.conf in which a setting is changed.
func fuzzChanges(_ bytes: [UInt8]) {
    var file = ConfigurationDocument(bytes)
    precondition(file.bytes == bytes, "bytes are lost")
    let before = ConfigurationLine.read(String(decoding: bytes, as: UTF8.self)).filter { !isPort($0) }
    file.setWhereItCounts("port", "5433")
    let after = ConfigurationLine.read(String(decoding: file.bytes, as: UTF8.self))
    precondition(after.filter { !isPort($0) } == before, "another setting has changed")
    precondition(after.last(where: isPort) == .setting(name: "port", value: "5433"), "the setting does not count")
    precondition(!file.setWhereItCounts("port", "5433"), "a second change of the same")
}

private func isPort(_ line: ConfigurationLine) -> Bool {
    if case .setting("port", _) = line { true } else { false }
}
