import Testing
import UnderstudyConfiguration

@Suite("Which line of pg_hba.conf counts") struct HostMatchingTests {
    private func rules(_ text: String, _ version: Int = 180_000) -> HostRules {
        HostRules(HostRulesFile(Array(text.utf8), version: version), version: version)
    }

    private func match(
        _ line: String, _ client: HostQuestion.Client = .network(HostNetwork("10.0.0.7")!), tls: Bool = false,
        database: HostQuestion.Database = .replication, member: Set<String> = [],
        change: (inout HostQuestion) -> Void = { _ in }
    ) -> HostMatch? {
        var question = HostQuestion(client, hasTLS: tls, database: database, role: "r", memberships: member)
        change(&question)
        return rules(line).rule(at: 0)?.match(question, version: 180_000)
    }

    @Test func `replication is a keyword of its own, which all does not mean`() {
        #expect(match("host replication r 10.0.0.7/32 md5") == .yes)
        #expect(match("host all r 10.0.0.7/32 md5") == .no)
        #expect(match("host \"replication\" r 10.0.0.7/32 md5") == .no)
        #expect(match("host all,replication r 10.0.0.7/32 md5") == .yes)
        #expect(match("host replication r 10.0.0.7/32 md5", database: .named("replication")) == .no)
        #expect(match("host \"replication\" r 10.0.0.7/32 md5", database: .named("replication")) == .yes)
        #expect(match("host sameuser all 10.0.0.7/32 md5", database: .named("r")) == .yes)
        #expect(match("host samerole all 10.0.0.7/32 md5", database: .named("g"), member: ["g"]) == .yes)
        #expect(match("host samerole all 10.0.0.7/32 md5", database: .named("h"), member: ["g"]) == .no)
    }

    @Test func `roles are names, groups, files and patterns`() {
        #expect(match("host replication all all md5") == .yes)
        #expect(match("host replication \"all\" all md5") == .no)
        #expect(match("host replication R all md5") == .no)
        #expect(match("host replication x,r all md5") == .yes)
        #expect(match("host replication +g all md5") == .no)
        #expect(match("host replication +g all md5", member: ["g"]) == .yes)
        #expect(match("host replication +r all md5") == .yes)
        #expect(match("host replication \"+r\" all md5") == .no)
        #expect(match("host replication @f all md5") == .maybe)
        #expect(match("host replication /^r all md5") == .maybe)
        for isMatch in [true, false] {
            let found = match("host replication \"/^r\" all md5") { $0.patterns[.init("^r", name: "r")] = isMatch }
            #expect(found == (isMatch ? .yes : .no))
        }
    }

    @Test func `connection types know TLS and the socket`() {
        let line = "replication r 10.0.0.7/32 md5"
        #expect(match("hostssl \(line)") == .no)
        #expect(match("hostssl \(line)", tls: true) == .yes)
        #expect(match("hostnossl \(line)") == .yes)
        #expect(match("hostnossl \(line)", tls: true) == .no)
        #expect(match("host \(line)", tls: true) == .yes)
        #expect(match("hostgssenc \(line)") == .no)
        #expect(match("hostnogssenc \(line)") == .yes)
        #expect(match("local replication r peer") == .no)
        #expect(match("local replication r peer", .socket) == .yes)
        #expect(match("host replication r all peer", .socket) == .no)
    }

    @Test func `addresses are networks, of which a part may match`() {
        func matched(_ address: String, _ client: String) -> HostMatch? {
            match("host replication r \(address) md5", .network(HostNetwork(client)!))
        }
        #expect(matched("10.0.0.0/24", "10.0.0.7") == .yes)
        #expect(matched("10.0.0.9/24", "10.0.0.7") == .yes)
        #expect(matched("10.0.1.0/24", "10.0.0.7") == .no)
        #expect(matched("10.0.0.7/32", "10.0.0.0/24") == .maybe)
        #expect(matched("10.0.0.0/8", "10.0.0.0/24") == .yes)
        #expect(matched("0.0.0.0/0", "10.0.0.0/24") == .yes)
        #expect(matched("0.0.0.0/0", "fd00::1") == .no)
        #expect(matched("::/0", "fd00::1") == .yes)
        #expect(matched("fd00::/127", "fd00::1") == .yes)
        #expect(matched("10.0.0.7 255.0.255.255", "10.9.0.7") == .yes)
        #expect(matched("all", "10.0.0.0/24") == .yes)
        #expect(matched("db.example.com", "10.0.0.7") == .maybe)
    }

    @Test func `host names are compared, and nothing is looked up`() {
        func matched(_ address: String) -> HostMatch? {
            match("host replication r \(address) md5", .name("Db2.example.com"))
        }
        #expect(matched("db2.EXAMPLE.com") == .yes)
        #expect(matched(".example.com") == .yes)
        #expect(matched("db3.example.com") == .maybe)
        #expect(matched("10.0.0.0/8") == .maybe)
        #expect(matched("all") == .yes)
        #expect(matched("samenet") == .maybe)
    }

    @Test func `samehost and samenet are the server's own addresses`() {
        func matched(_ address: String, _ client: String, _ networks: [String]?) -> HostMatch? {
            match("host replication r \(address) md5", .network(HostNetwork(client)!)) {
                $0.serverNetworks = networks?.map { HostNetwork($0)! }
            }
        }
        #expect(matched("samehost", "10.0.0.1", nil) == .maybe)
        #expect(matched("samehost", "10.0.0.1", ["10.0.0.1/24"]) == .yes)
        #expect(matched("samehost", "10.0.0.7", ["10.0.0.1/24"]) == .no)
        #expect(matched("samehost", "10.0.0.0/24", ["10.0.0.1/24"]) == .maybe)
        #expect(matched("samenet", "10.0.0.7", ["127.0.0.1/8", "10.0.0.1/24"]) == .yes)
        #expect(matched("samenet", "10.0.1.7", ["10.0.0.1/24"]) == .no)
    }

    // MARK: - The first line counts

    private func decide(
        _ text: String, _ client: String = "10.0.0.7", included: [Int: [HostRules]] = [:]
    ) -> HostRules.Decision {
        var rules = rules(text)
        rules.included = included
        return rules.decide(
            HostQuestion(.network(HostNetwork(client)!), hasTLS: false, role: "r"),
            methods: ["scram-sha-256", "md5"])
    }

    @Test func `a line with the right method lets in, whatever is below`() {
        #expect(decide("# x\nhost replication r 10.0.0.0/8 md5\nhost replication all all reject") == .admitted(line: 2))
    }

    @Test func `a line with another method catches it first`() {
        #expect(
            decide("host all all all trust\n\nhost replication all all reject\nhost replication r all md5")
                == .caught(index: 2))
        #expect(decide("local replication all trust\nhost replication r 10.0.0.8/32 md5") == .caught(index: nil))
    }

    @Test func `a line that also asks for a certificate is another method`() {
        for option in ["clientcert=verify-full", "clientcert=verify-ca", "clientcert=1"] {
            #expect(decide("host replication all all md5 \(option)") == .caught(index: 0))
        }
        #expect(decide("host replication all all md5 clientcert=no-verify") == .admitted(line: 1))
        #expect(decide("host replication all all md5 clientcert=0") == .admitted(line: 1))
    }

    @Test func `a zero byte is found, in included files, too`() {
        var main = rules("# a\ninclude a.conf\n")
        #expect(main.lineWithZeroByte == nil)
        main.included = [1: [rules("host all all all md5\n\0")]]
        #expect(main.lineWithZeroByte == 2)
        #expect(rules("local all all peer\n# \0\n").lineWithZeroByte == 2)
    }

    @Test func `a line that may match is passed by if its method is right, and caught if not`() {
        let end = "host replication r all scram-sha-256"
        #expect(decide("host replication r db.example.com md5\n\(end)") == .admitted(line: 2))
        #expect(decide("host replication r db.example.com trust\n\(end)") == .caught(index: 0))
        #expect(decide("host replication r 10.0.0.7/32 reject\n\(end)", "10.0.0.0/24") == .caught(index: 0))
        #expect(decide("host replication r 10.0.0.7/32 md5\n\(end)", "10.0.0.0/24") == .admitted(line: 2))
    }

    @Test func `included files stand where they are included, and unknown ones may hold anything`() {
        let main = "include a.conf\nhost replication r all md5\n"
        #expect(decide(main) == .caught(index: 0))
        #expect(decide(main, included: [0: []]) == .admitted(line: 2))
        #expect(decide(main, included: [0: [rules("host all all all reject")]]) == .admitted(line: 2))
        #expect(decide(main, included: [0: [rules("host replication all all reject")]]) == .caught(index: 0))
        #expect(decide(main, included: [0: [rules("host replication all all md5")]]) == .admitted(line: 1))
    }
}

@Suite("Addresses") struct HostNetworkTests {
    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1/32"), ("10.0.0.0/8", "10.0.0.0/8"), ("0.0.0.0/0", "0.0.0.0/0"), ("::1", "::1/128"),
        ("::", "::/128"), ("FD00:0:0:1::/64", "fd00:0:0:1::/64"), ("::ffff:10.0.0.1", "::ffff:a00:1/128"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3/128"),
    ])
    func `are read and printed`(text: String, printed: String) throws {
        let network = try #require(HostNetwork(text))
        #expect(network.text == printed)
        #expect(HostNetwork(printed) == network)
    }

    @Test(arguments: [
        "", "10.0.0", "10.0.0.256", "10.0.0.01", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "a", ":", ":::", "1::2::3",
        "::1/129", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8:9", "12345::", "fe80::1%eth0", "10.0.0.1/8/8",
    ])
    func `are refused if they are none`(text: String) {
        #expect(HostNetwork(text) == nil)
    }
}
