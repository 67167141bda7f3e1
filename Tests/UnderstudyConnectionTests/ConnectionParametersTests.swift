import Testing

@testable import UnderstudyConnection

@Suite("Connection parameters")
struct ConnectionParametersTests {
    @Test(
        "are read from a connection string or a URI",
        arguments: [
            ("", [:]),
            ("host=a port=5433 user=r", ["host": "a", "port": "5433", "user": "r"]),
            (#"host='a b' password='it\'s \\'"#, ["host": "a b", "password": #"it's \"#]),
            (
                "postgresql://r:p%40ss@h1:1,h2:2/db?sslmode=require",
                ["host": "h1,h2", "port": "1,2", "user": "r", "password": "p@ss", "dbname": "db", "sslmode": "require"]
            ),
            ("postgres:///?host=/run/postgresql", ["host": "/run/postgresql"]),
        ])
    func parse(_ string: String, _ settings: [String: String]) throws {
        let parameters = try ConnectionParameters(string)
        #expect(
            Dictionary(uniqueKeysWithValues: parameters.settings.map { ($0.keyword, $0.value) }) == settings)
    }

    @Test("given apart win over those of the string")
    func overrides() throws {
        let parameters = try ConnectionParameters("host=a user=r", overrides: ["host": "b", "port": "1"])
        #expect(parameters["host"] == "b")
        #expect(parameters["port"] == "1")
        #expect(parameters["user"] == "r")
    }

    @Test("are set, changed and taken away")
    func change() throws {
        var parameters = try ConnectionParameters("host=a")
        parameters["host"] = "b"
        parameters["user"] = "r"
        parameters["absent"] = nil
        #expect(parameters.settings == [.init(keyword: "host", value: "b"), .init(keyword: "user", value: "r")])
        parameters["host"] = nil
        #expect(parameters["host"] == nil)
    }

    @Test(
        "that are wrong are named in an error",
        arguments: [
            ("hots=a", #"invalid connection option "hots""#), ("host", #"missing "=" after "host""#),
            ("postgresql://h:1:2/%zz", "invalid"), ("host='a", "unterminated quoted string"),
        ])
    func wrong(_ string: String, _ text: String) {
        let error = #expect(throws: ConnectionError.self) { try ConnectionParameters(string) }
        #expect(error?.code == .parameters)
        #expect(error?.message.hasPrefix("invalid connection string: ") == true)
        #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
    }

    @Test(
        "that are wrong do not show a password, or a part of it",
        arguments: [
            "host=h password=top secret", "password=top secret=x host=h", "host=h password = 'top' secret",
            "postgresql://r:secret@h/%zz", "postgresql://r:top%zzsecret@h/", "postgresql://r:secret@[::1/db",
            "postgresql://r@h/?password=secret%zz", "postgresql://r:secret@h/?nonsense=1&x",
            "host=h sslpassword=top secret", "postgresql://r@h/?password=top&secret",
        ])
    func leaks(_ string: String) {
        let error = #expect(throws: ConnectionError.self) { try ConnectionParameters(string) }
        #expect(error?.description.contains("secret") == false, "\(error?.description ?? "")")
        #expect(error?.code == .parameters)
    }

    @Test(
        "lose a host that does not answer, with its address and its port",
        arguments: [
            ("host=a,b,c", "b", "5432", "host=a,c"), ("host=a,b", "a", "5432", "host=b"),
            ("host=a,b port=1,2", "a", "1", "host=b port=2"), ("host=a,b port=7", "b", "7", "host=a port=7"),
            ("host=a,a port=1,2", "a", "2", "host=a port=1"), ("host=a,b port=1,", "b", "5432", "host=a port=1"),
            ("hostaddr=1.1.1.1,2.2.2.2", "2.2.2.2", "5432", "hostaddr=1.1.1.1"),
            (
                "host=a,b hostaddr=1.1.1.1,2.2.2.2 port=1,2", "a", "1", "host=b hostaddr=2.2.2.2 port=2"
            ),
            (
                "host=a,b hostaddr=1.1.1.1,2.2.2.2", "2.2.2.2", "5432", "host=a hostaddr=1.1.1.1"
            ),
        ])
    func removeHost(_ string: String, _ host: String, _ port: String, _ left: String) throws {
        var parameters = try ConnectionParameters(string)
        let isLeft = parameters.removeHost(host, port: port)
        #expect(isLeft)
        #expect(parameters == (try ConnectionParameters(left)))
    }

    @Test("keep the only host", arguments: ["", "host=a", "hostaddr=1.1.1.1 port=1", "host=a port=1,2"])
    func lastHost(_ string: String) throws {
        var parameters = try ConnectionParameters(string)
        let isLeft = parameters.removeHost("a", port: "5432")
        #expect(!isLeft)
        #expect(parameters == (try ConnectionParameters(string)))
    }
}
