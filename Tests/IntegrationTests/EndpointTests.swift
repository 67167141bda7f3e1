#if HTTP
import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// What is asked over HTTP, by clients that behave and by others. The archivers do not run.
@Suite(.disabled(if: isStock)) struct EndpointTests {
    private func withEndpoint(_ body: (_ port: Int) async throws -> Void) async throws {
        let archiver = WALArchiver(source: "host=127.0.0.1", destination: .directory("/nowhere"))
        let endpoint = ArchiverEndpoint(ListenAddress(port: 0), archivers: [archiver], metrics: PrometheusMetrics())
        try await endpoint.start()
        defer { endpoint.stop() }
        try await body(try #require(endpoint.address).port)
    }

    @Test func `each path has its answer, its type and its length`() async throws {
        try await withEndpoint { port in
            for (path, status, type) in [
                ("/", 200, "text/html; charset=utf-8"), ("/healthz", 200, "text/plain; charset=utf-8"),
                ("/readyz", 503, "text/plain; charset=utf-8"), ("/status", 200, "application/json"),
                ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
                ("/page.js", 200, "text/javascript; charset=utf-8"), ("/page.css", 200, "text/css; charset=utf-8"),
                ("/none", 404, "text/plain; charset=utf-8"),
            ] {
                let answer = try HTTPExchange.get(path, port: port)
                #expect(answer.status == status && answer.headers["content-type"] == type, "\(path): \(answer)")
                #expect(answer.headers["cache-control"] == "no-store", "\(path)")
                #expect((answer.headers["content-security-policy"] != nil) == (path == "/"), "\(path)")
                let head = try HTTPExchange.get(path, port: port, method: "HEAD")
                #expect(head.status == status && head.body.isEmpty, "\(path): \(head)")
                #expect(head.headers["content-length"] == "\(answer.body.utf8.count)", "\(path)")
            }
        }
    }

    @Test func `other methods and what is no request are refused`() async throws {
        try await withEndpoint { port in
            for method in ["POST", "DELETE", "OPTIONS", "TRACE"] {
                let answer = try HTTPExchange.get("/metrics", port: port, method: method)
                #expect(answer.status == 405 && answer.headers["allow"] == "GET, HEAD", "\(method)")
            }
            for text in ["\u{16}\u{3}\u{1}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "nonsense\r\n\r\n"] {
                let exchange = try HTTPExchange(port: port)
                exchange.send(text)
                let said = exchange.rest()
                #expect(said.isEmpty || said.hasPrefix("HTTP/1.") && said.contains(" 400 "), "\(text): \(said)")
            }
        }
    }

    @Test func `who waits for leave to send content is answered at once`() async throws {
        try await withEndpoint { port in
            for (method, status) in [("POST", "405 Method Not Allowed"), ("GET", "200 OK")] {
                let exchange = try HTTPExchange(port: port)
                exchange.send(
                    "\(method) /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
                let said = exchange.rest()
                #expect(said.hasPrefix("HTTP/1.1 \(status)\r\n") && said.contains("Connection: close"), "\(said)")
            }
        }
    }

    @Test func `one connection has many answers, also to requests that come at once`() async throws {
        try await withEndpoint { port in
            let exchange = try HTTPExchange(port: port)
            for _ in 0..<3 {
                exchange.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(exchange.answer()?.body == "alive\n")
            }
            exchange.send(String(repeating: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", count: 5))
            for _ in 0..<5 { #expect(exchange.answer()?.body == "alive\n") }
            exchange.send("GET /healthz HTTP/1.0\r\n\r\n")
            #expect(exchange.rest().hasSuffix("\r\n\r\nalive\n"))
        }
    }

    @Test func `whoever asks for too much, or for too long, is cut off, and others are answered`() async throws {
        try await withEndpoint { port in
            let line = String(repeating: "x", count: 40_000)
            for start in [
                "GET /\(line)", "GET /\(line.prefix(20_000)) HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET / HTTP/1.1\r\nA: \(line)",
                "GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 10_000),
            ] {
                let exchange = try HTTPExchange(port: port)
                exchange.send(start)
                let said = exchange.rest()
                #expect(said.isEmpty || said.contains(" 400 ") || said.contains(" 431 "), "\(said)")
            }
            // Far more than may be open. The oldest go.
            let idle = try (0..<200).map { _ in try HTTPExchange(port: port) }
            idle.last?.send("GET / HT")
            #expect(try HTTPExchange.get("/healthz", port: port).status == 200)
            // It was closed before it asks.
            idle[0].send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(idle[0].rest() == "")
            idle.last?.send("TP/1.1\r\nHost: a\r\n\r\n")
            #expect(idle.last?.answer()?.status == 200)
            // Who asks and does not read.
            let greedy = try HTTPExchange(port: port)
            greedy.send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 2_000))
            try eventually("an answer beside it") { try HTTPExchange.get("/healthz", port: port).status == 200 }
            // A flood is stopped, and is nobody else's trouble for longer than a second.
            let flood = try HTTPExchange(port: port)
            flood.send(String(repeating: "GET /status HTTP/1.1\r\nHost: a\r\n\r\n", count: 4_000))
            #expect(flood.rest().contains("HTTP/1.1 429 Too Many Requests"))
            // Whoever restarts what does not answer is answered also then, and in its own flood.
            #expect(try HTTPExchange.get("/healthz?x", port: port).status == 200)
            #expect(try HTTPExchange.get("/readyz", port: port).status == 503)
            let probes = try HTTPExchange(port: port)
            probes.send(String(repeating: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", count: 1_000))
            for _ in 0..<1_000 { #expect(probes.answer()?.status == 200) }
            try eventually("an answer after it") { try HTTPExchange.get("/status", port: port).status == 200 }
            _ = greedy
        }
    }

    @Test func `a port that is taken is told before anything begins, and is free again afterwards`() async throws {
        let archiver = WALArchiver(source: "host=127.0.0.1", destination: .directory("/nowhere"))
        let first = ArchiverEndpoint(ListenAddress(port: 0), archivers: [archiver])
        try await first.start()
        let address = try #require(first.address)
        let second = ArchiverEndpoint(address, archivers: [archiver])
        let error = await #expect(throws: UnderstudyError.self) { try await second.start() }
        #expect(error?.code == .options)
        #expect(error?.message == "could not listen on \"\(address)\": Address already in use")
        #expect(error?.hint?.contains("ss -ltnp") == true)
        #expect(try HTTPExchange.get("/metrics", port: address.port).status == 404)
        first.stop()
        #expect(first.address == nil)
        // A child of another test has the socket, too, until it runs its program.
        var tries = 0
        while true {
            do {
                try await second.start()
                break
            } catch {
                tries += 1
                try #require(tries < 2000)
            }
        }
        #expect(try HTTPExchange.get("/healthz", port: address.port).status == 200)
        second.stop()
        let unknown = ArchiverEndpoint(ListenAddress(host: "no-such-host.invalid", port: 0), archivers: [archiver])
        let failure = await #expect(throws: UnderstudyError.self) { try await unknown.start() }
        #expect(failure?.message.contains("no address is known") == true)
    }
}
#endif
