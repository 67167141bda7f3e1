/// The lines of a password file from which a standby reads its primary's password.
///
/// Source: PostgreSQL manual, "The Password File", and `passwordFromFile` in `fe-connect.c`.
package enum Passfile {
    /// One line per host, each ending in a newline; none if the settings hold no password.
    ///
    /// - Parameter databases: A physical replication connection looks up the database `replication`.
    /// - Throws: For a value with a line break, which a password file cannot hold.
    package static func lines(
        _ settings: ConnectionSettings, forServer serverVersion: Int, databases: [String] = ["replication"]
    ) throws(Finding) -> [String] {
        guard let password = settings["password"], !password.isEmpty else { return [] }
        var lines: [String] = []
        for (host, port) in places(settings, serverVersion: serverVersion) {
            for database in databases {
                let line = [host, port, database, settings["user"] ?? "*", password].map(escaped).joined(separator: ":")
                guard !line.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D }) else {
                    throw Finding(
                        "password cannot be written into a password file",
                        detail: "A password file cannot hold a line break.")
                }
                if !lines.contains(line + "\n") { lines.append(line + "\n") }
            }
        }
        return lines
    }

    /// The names under which libpq looks up a host, each with the port as text.
    private static func places(_ settings: ConnectionSettings, serverVersion: Int) -> [(host: String, port: String)] {
        let addresses = list(settings["hostaddr"])
        let names = list(settings["host"])
        let ports = list(settings["port"])
        var places: [(String, String)] = []
        for index in 0..<max(addresses.count, names.count) {
            let name = index < names.count ? names[index] : ""
            let address = index < addresses.count ? addresses[index] : ""
            let port = ports.count == 1 ? ports[0] : index < ports.count ? ports[index] : ""
            for host in lookUpNames(name: name, address: address, serverVersion: serverVersion) {
                places.append((host, port.isEmpty ? "5432" : port))
            }
        }
        return places
    }

    private static func lookUpNames(name: String, address: String, serverVersion: Int) -> [String] {
        // The default socket directory is looked up as localhost, any other by its path. The default is compiled into
        // the server's libpq.
        if [UInt8(ascii: "/"), UInt8(ascii: "@")].contains(name.utf8.first) { return ["localhost", name] }
        if !name.isEmpty { return [name] }
        // Before 10, libpq looks up only the name.
        if !address.isEmpty, serverVersion >= 100_000 { return [address] }
        return ["localhost"]
    }

    /// An absent value is a list of one empty entry, as in libpq.
    private static func list(_ value: String?) -> [String] {
        (value ?? "").split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            if scalar == ":" || scalar == "\\" { text += "\\" }
            text.unicodeScalars.append(scalar)
        }
        return text
    }
}
