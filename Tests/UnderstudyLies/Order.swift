import UnderstudyTestSupport

/// How the program is called.
struct Order: Sendable {
    enum Kind: Sendable { case backup, clone, start, receive, slot }

    var kind: Kind
    /// What it is called as, and its words but for the server.
    var name = "understudy"
    var words: [String] = []
    var hasManifest = false
    var streamsWAL = false
    /// Whether the tablespace goes to `Place.space`.
    var isMapped = true
    /// Whether a lost connection is made again, for ever.
    var loops = false

    /// Whether it makes a data directory.
    var makesCopy: Bool { kind == .backup || kind == .clone || kind == .start }

    init(_ random: inout SplitMix64, _ release: Release, _ place: Place, canStart: Bool) {
        let dice = Int.random(in: 0..<100, using: &random)
        switch dice {
        case ..<50: kind = .backup
        case ..<68: kind = .clone
        case ..<70: kind = canStart && release == .v16 ? .start : .clone
        case ..<97: kind = .receive
        default: kind = .slot
        }
        switch kind {
        case .backup: backup(&random, release, place)
        case .clone, .start: clone(&random, release, place)
        case .receive: receive(&random, release, place)
        case .slot:
            words = ["receivewal", "--slot", "mine"]
            words += Bool.random(using: &random) ? ["--create-slot"] : ["--drop-slot"]
            if words.contains("--create-slot"), Bool.random(using: &random) { words.append("--if-not-exists") }
        }
        if kind == .backup || kind == .receive, one(in: 8, &random) {
            name = kind == .backup ? "pg_basebackup" : "pg_receivewal"
            words.removeFirst()
        }
    }

    /// What the files of its copy depend on.
    var copyKind: String {
        let others: Set = [
            "-D", "--no-sync", "-P", "-v", "--progress", "json", "plain", "-c", "fast", "--force-clean", "-X", "none",
            "fetch",
        ]
        return ([name] + words.filter { !others.contains($0) }).joined(separator: " ")
    }

    /// The whole command line behind the program's name.
    func line(port: Int) -> [String] {
        switch kind {
        case .clone, .start:
            let server = "host=127.0.0.1 port=\(port) user=r"
            return words + ["--primary", server, "-w"]
        default: return words + ["-h", "127.0.0.1", "-p", "\(port)", "-U", "r", "-w"]
        }
    }

    private mutating func backup(_ random: inout SplitMix64, _ release: Release, _ place: Place) {
        words = ["basebackup", "-D", place.target]
        hasManifest = release.hasManifest
        switch Int.random(in: 0..<4, using: &random) {
        case 0: words += ["-X", "none"]
        case 1: words += ["-X", "fetch"]
        default: streamsWAL = true
        }
        if one(in: 4, &random) {
            words.append("--no-manifest")
            hasManifest = false
        }
        if one(in: 4, &random) { words.append("-R") }
        if !one(in: 5, &random) { words.append("--no-sync") }
        if one(in: 3, &random) { words.append("-P") }
        if one(in: 2, &random) { words.append("-v") }
        if one(in: 10, &random) { words.append("--force-clean") }
        if streamsWAL, one(in: 4, &random) { words += ["-C", "-S", "mine"] }
        if streamsWAL, one(in: 10, &random) { words += ["--waldir", place.walDirectory] }
        map(&random, place)
        words += ["-c", "fast"]
    }

    private mutating func clone(_ random: inout SplitMix64, _ release: Release, _ place: Place) {
        words = ["clone", "-D", place.target]
        hasManifest = release.hasManifest
        streamsWAL = true
        words += one(in: 2, &random) ? ["--slot", "mine"] : ["--no-slot"]
        words += ["--progress", one(in: 2, &random) ? "json" : "plain"]
        if !one(in: 5, &random) { words.append("--no-sync") }
        if one(in: 2, &random) { words.append("-v") }
        if one(in: 10, &random) { words.append("--force-clean") }
        map(&random, place)
        words += ["-c", "fast"]
    }

    private mutating func map(_ random: inout SplitMix64, _ place: Place) {
        isMapped = !one(in: 10, &random)
        if isMapped { words += ["-T", "\(place.elsewhere)/space=\(place.space)"] }
    }

    private mutating func receive(_ random: inout SplitMix64, _ release: Release, _ place: Place) {
        words = ["receivewal", "-D", place.wal]
        streamsWAL = true
        words += ["-E", "0/3003000"]
        if one(in: 4, &random) { loops = true } else { words.append("-n") }
        if one(in: 3, &random) { words += ["-S", "mine"] }
        if one(in: 4, &random) { words.append("--synchronous") }
        if one(in: 2, &random) { words.append("-v") }
        if one(in: 4, &random) { words += ["-Z", ["gzip:1", "lz4", "zstd"].randomElement(using: &random)!] }
        if !words.contains("--synchronous"), !one(in: 5, &random) { words.append("--no-sync") }
    }
}

/// Whether a chance of one in so many came true.
func one(in count: Int, _ random: inout SplitMix64) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }
