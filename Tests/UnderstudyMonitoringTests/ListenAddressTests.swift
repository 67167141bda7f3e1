import Testing

@testable import UnderstudyMonitoring

@Suite("Addresses to listen on")
struct ListenAddressTests {
    @Test(
        "without an address it is loopback, and an IPv6 address stands in brackets",
        arguments: [
            ("9187", "127.0.0.1:9187"), (":9187", "127.0.0.1:9187"), ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:9187", "[::1]:9187"), ("[::]:0", "[::]:0"), ("db-1.local:65535", "db-1.local:65535"),
        ])
    func reads(text: String, address: String) {
        #expect(ListenAddress(text)?.description == address)
    }

    @Test(
        "what is none is refused",
        arguments: [
            "", ":", "x", "1.2.3.4", "1.2.3.4:", "::1:9187", "[::1]", "[::1]9187", "[::1:9187", "::1]:9187", ":65536",
            ":-1",
            ":+1", ": 1", "a b:1", "*:9187", "http://127.0.0.1:9187", ":９１", "[]:1",
        ])
    func refuses(text: String) {
        #expect(ListenAddress(text) == nil)
    }
}
