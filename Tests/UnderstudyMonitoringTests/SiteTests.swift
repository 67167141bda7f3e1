import Metrics
import Testing
import UnderstudyCore
import UnderstudyWAL
import UnderstudyWALArchive

@testable import UnderstudyMonitoring

@Suite("What is answered for each path")
struct SiteTests {
    private func archiver(_ name: String) -> WALArchiver {
        var options = WALArchiver.Options()
        options.name = name
        return WALArchiver(source: "host=127.0.0.1", destination: .directory("/nowhere"), options: options)
    }

    private func site(_ names: [String], metrics: PrometheusMetrics? = nil) -> ArchiverSite {
        let archivers = names.map(archiver)
        return ArchiverSite(archivers: { archivers }, metrics: metrics, words: \.description)
    }

    @Test("an archiver that does not run is alive and not ready, and the reason names it")
    func stopped() {
        let site = site(["a", "b"])
        #expect(site.answer("/healthz").status == 200)
        #expect(site.answer("/readyz") == .text(503, "a is not running\nb is not running"))
        #expect(site.answer("/readyz?name=b") == .text(503, "b is not running"))
        #expect(site.answer("/readyz?name=c").status == 404)
    }

    @Test("metrics are there if this is their backend")
    func metrics() {
        let metrics = PrometheusMetrics()
        Counter(label: "c", dimensions: [], factory: metrics).increment()
        let answer = site(["a"], metrics: metrics).answer("/metrics")
        #expect(answer.status == 200 && answer.body == metrics.text && answer.type == PrometheusMetrics.mediaType)
        #expect(site(["a"]).answer("/metrics").status == 404)
    }

    @Test("one archiver is shown with all that is known, several in a list with links")
    func pages() {
        let one = site(["a"]).answer("/")
        #expect(one.isPage && one.body.contains("<h2>Slot</h2>") && !one.body.contains("<table>"))
        let two = site(["a&<b>", "c"]).answer("/")
        #expect(two.body.contains("<a href=\"archiver?name=a%26%3Cb%3E\">a&amp;&lt;b&gt;</a>"))
        #expect(two.body.contains("2 of 2 archivers not ready"))
        #expect(site(["a&<b>", "c"]).answer("/archiver?name=a%26%3Cb%3E").body.contains("<h2>Slot</h2>"))
        #expect(site([]).answer("/").status == 200)
    }

    @Test("other paths are not there", arguments: ["//", "/x", "/metrics/", "/../etc/passwd", "*", "/%2e%2e"])
    func unknown(path: String) {
        #expect(site(["a"]).answer(path).status == 404)
    }

    @Test("a target may have a host before the path, and a query behind it")
    func targets() {
        let site = site(["a"])
        for target in ["/healthz", "/healthz?x", "http://h:1/healthz", "/healthz#y", "/healthz?name=%zz"] {
            #expect(site.answer(target).status == 200, "\(target)")
        }
        // What is asked about one is never answered for all.
        for path in ["/", "/archiver", "/status", "/readyz"] {
            for name in ["%ff%00%zz", "%ff", "%zz"] {
                #expect(site.answer("\(path)?name=\(name)").status == 400, "\(path) \(name)")
            }
            for name in ["c", "a%00", ""] {
                #expect(site.answer("\(path)?name=\(name)").status == 404, "\(path) \(name)")
            }
            #expect(site.answer("\(path)?name=a").status == (path == "/readyz" ? 503 : 200), "\(path)")
        }
        #expect(Query("/a?x=1&name=b%20c+d&name=e")["name"] == "b c d")
        #expect(Query("http://h?name=e") == Query("/?name=e"))
        #expect(Query("/?name=%+5")["name"] == nil && Query("/?name=%2")["name"] == nil)
    }
}
