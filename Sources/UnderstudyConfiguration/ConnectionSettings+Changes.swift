/// A connection that is there already, and what becomes of it.
extension ConnectionSettings {
    /// Reads `keyword=value …` as libpq does, whatever the keywords; nil for what it would refuse, and for a URI.
    ///
    /// Source: `conninfo_parse` in `fe-connect.c`.
    package init?(conninfo: String) {
        self.init()
        let bytes = Array(conninfo.utf8)
        var index = 0
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || (0x09...0x0D).contains(byte) }
        func skipSpace() { while index < bytes.count, isSpace(bytes[index]) { index += 1 } }
        while true {
            skipSpace()
            guard index < bytes.count else { return }
            let start = index
            while index < bytes.count, bytes[index] != UInt8(ascii: "="), !isSpace(bytes[index]) { index += 1 }
            let keyword = bytes[start..<index]
            skipSpace()
            guard !keyword.isEmpty, index < bytes.count, bytes[index] == UInt8(ascii: "=") else { return nil }
            index += 1
            skipSpace()
            let isQuoted = index < bytes.count && bytes[index] == UInt8(ascii: "'")
            if isQuoted { index += 1 }
            var value: [UInt8] = []
            while index < bytes.count {
                if isQuoted ? bytes[index] == UInt8(ascii: "'") : isSpace(bytes[index]) { break }
                if bytes[index] == UInt8(ascii: "\\") {
                    index += 1
                    guard index < bytes.count else { break }
                }
                value.append(bytes[index])
                index += 1
            }
            if isQuoted {
                guard index < bytes.count else { return nil }
                index += 1
            }
            self[String(decoding: keyword, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
        }
    }

    /// These settings with some of them changed. With another host, the address of the old one goes; with another user,
    /// the password.
    ///
    /// - Throws: If there are several ports, and another number of hosts.
    package func changed(by changes: ConnectionSettings) throws(Finding) -> ConnectionSettings {
        var result = self
        if changes["host"] != nil { result["hostaddr"] = nil }
        if let user = changes["user"], user != self["user"] { result["password"] = nil }
        for setting in changes.settings { result[setting.keyword] = setting.value }
        func count(_ text: String) -> Int { text.split(separator: ",", omittingEmptySubsequences: false).count }
        let ports = count(result["port"] ?? ""), hosts = count(result["hostaddr"] ?? result["host"] ?? "")
        guard ports == 1 || ports == hosts else {
            throw Finding(
                "primary_conninfo would have \(ports) ports, and not as many hosts",
                hint: "Give the hosts and the ports, or the whole connection.")
        }
        return result
    }

    /// Takes over the password of an earlier connection of the same user, or its password file, if there is none here.
    package mutating func takePassword(from earlier: ConnectionSettings) {
        guard self["password"] == nil, self["passfile"] == nil, self["service"] == nil, self["user"] == earlier["user"]
        else { return }
        for keyword in ["password", "passfile"] { if let value = earlier[keyword] { self[keyword] = value } }
    }

    /// The keywords of an earlier connection that have no value here.
    package func missing(from earlier: ConnectionSettings) -> [String] {
        earlier.settings.filter { !$0.value.isEmpty && (self[$0.keyword] ?? "").isEmpty }.map(\.keyword)
    }
}
