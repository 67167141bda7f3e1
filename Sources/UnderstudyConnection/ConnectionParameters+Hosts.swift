extension ConnectionParameters {
    /// Removes one host from the lists in `host`, `hostaddr` and `port`.
    ///
    /// - Returns: False if it is the only host; it is not removed then.
    mutating func removeHost(_ host: String, port: String) -> Bool {
        let hosts = list("host"), addresses = list("hostaddr"), ports = list("port")
        let count = max(hosts.count, addresses.count)
        guard count > 1 else { return false }
        let portOf = { (index: Int) in ports.isEmpty ? port : ports[ports.count == 1 ? 0 : index] }
        let index =
            (0..<count).first { index in
                ((index < hosts.count && hosts[index] == host)
                    || (index < addresses.count && addresses[index] == host))
                    && (portOf(index) == port || portOf(index).isEmpty)
            } ?? 0
        for (keyword, values) in [("host", hosts), ("hostaddr", addresses), ("port", ports)] where values.count > 1 {
            var rest = values
            rest.remove(at: index)
            self[keyword] = rest.joined(separator: ",")
        }
        return true
    }

    /// The parameters for each single host, in the order of the list.
    var oneByOne: [ConnectionParameters] {
        let lists = ["host", "hostaddr", "port"].map { (keyword: $0, values: list($0)) }
        let count = max(lists[0].values.count, lists[1].values.count)
        guard count > 1 else { return [self] }
        return (0..<count).map { index in
            var alone = self
            // A port that applies to all hosts stays.
            for (keyword, values) in lists where values.count == count { alone[keyword] = values[index] }
            return alone
        }
    }

    /// The same login on exactly the server that a session is connected to, whatever hosts the parameters name.
    package func pinned(to session: Session) -> ConnectionParameters {
        var pinned = self
        pinned["host"] = session.host
        pinned["port"] = session.port
        // libpq reports a link-local address without its scope, and cannot connect to it without one.
        pinned["hostaddr"] = session.address.flatMap { $0.lowercased().hasPrefix("fe80:") ? nil : $0 }
        // Not nil, since the environment would then apply.
        pinned["target_session_attrs"] = "any"
        return pinned
    }

    private func list(_ keyword: String) -> [String] {
        guard let text = self[keyword], !text.isEmpty else { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
}
