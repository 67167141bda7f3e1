import Glibc
import UnderstudyTestSupport

/// What is wrong with how a run came out: its kind, and what was seen.
struct Complaint: Sendable {
    var kind: String
    var what = ""
}

/// Looks at what a lie has left behind.
struct Verdict {
    let lie: Lie
    let run: Watched
    let place: Place
    let before: [Files.Look]
    let bystander: Int32
    /// How often somebody came to where nobody should.
    let strangers: Int
    /// What the program said of how far it is.
    let statuses: [ScriptedServer.Status]

    /// kB.
    static let mostMemory = 128 << 10
    static let forged = "understudy: forged"

    func complaints() -> [Complaint] {
        ending() + printed() + surroundings() + (lie.order.makesCopy ? copy() : [])
            + (lie.order.kind == .receive ? archive() : [])
    }

    // MARK: - The process

    private func ending() -> [Complaint] {
        var found: [Complaint] = []
        if run.isStubborn {
            found.append(Complaint(kind: "a signal is not obeyed within 10 s"))
        } else if ![0, 1].contains(run.status) {
            found.append(Complaint(kind: "exit status \(run.status)"))
        }
        if run.status != 0, lie.isTruth { found.append(Complaint(kind: "the truth is refused")) }
        if run.status == 0, let why = lie.mustFail, run.obeyed == nil || lie.order.makesCopy {
            found.append(Complaint(kind: "a lie is believed", what: why))
        }
        if run.peak > Self.mostMemory { found.append(Complaint(kind: "more than 128 MiB", what: "\(run.peak) kB")) }
        if lie.order.kind == .start {
            found += Self.processes(naming: place.target).map { Complaint(kind: "a server is left", what: $0) }
        }
        if run.hasLeft { found.append(Complaint(kind: "a process is left")) }
        if !Bystander.isAlive(bystander) { found.append(Complaint(kind: "another process was signalled")) }
        if strangers > 0 { found.append(Complaint(kind: "a server that a file names was connected to")) }
        return found
    }

    /// Processes in whose command line a text stands.
    private static func processes(naming text: String) -> [String] {
        Files.names("/proc").filter { $0.allSatisfy(\.isNumber) }.compactMap { process in
            let line = String(decoding: Files.bytes("/proc/\(process)/cmdline") ?? [], as: UTF8.self)
            return line.contains(text) ? "\(process) \(line.replacing("\0", with: " "))" : nil
        }
    }

    // MARK: - What it prints

    private func printed() -> [Complaint] {
        var found: [Complaint] = []
        for (name, bytes) in [("standard output", run.output), ("standard error", run.errors)] {
            if let place = Self.raw(bytes) {
                let around = bytes[max(0, place - 40)..<min(bytes.count, place + 20)]
                found.append(
                    Complaint(kind: "raw bytes on \(name)", what: String(decoding: around, as: UTF8.self)))
            }
            let text = String(decoding: bytes, as: UTF8.self)
            // Behind the time, where a line has it.
            let time = "2026-11-28T10:35:08.494Z ".utf8.count
            let isForged = text.utf8.split(separator: UInt8(ascii: "\n")).contains {
                $0.starts(with: Self.forged.utf8)
                    || ($0.prefix(time).suffix(2).elementsEqual("Z ".utf8)
                        && $0.dropFirst(time).starts(with: Self.forged.utf8))
            }
            if isForged {
                found.append(Complaint(kind: "a forged line on \(name)"))
            }
            if text.contains(Teller.password) { found.append(Complaint(kind: "the password on \(name)")) }
        }
        return found
    }

    /// Where a control character is, or what is no UTF-8; nil for nowhere.
    private static func raw(_ bytes: [UInt8]) -> Int? {
        if let place = bytes.firstIndex(where: { ($0 < 32 && $0 != 10 && $0 != 9) || $0 == 127 }) { return place }
        // C1 is C2 80 to C2 9F.
        if let place = bytes.indices.dropLast().first(where: {
            bytes[$0] == 0xC2 && (0x80...0x9F).contains(bytes[$0 + 1])
        }) {
            return place
        }
        return String(validating: bytes, as: UTF8.self) == nil ? 0 : nil
    }

    // MARK: - Files

    private func surroundings() -> [Complaint] {
        var before = Dictionary(uniqueKeysWithValues: before.map { ($0.name, $0) })
        var found: [Complaint] = []
        for look in place.canary() {
            let old = before.removeValue(forKey: look.name)
            if old == look { continue }
            // Where an unmapped tablespace goes is the server's word, at a place that is nobody's home.
            if look.name.hasPrefix("elsewhere/"), old == nil { continue }
            found.append(
                Complaint(
                    kind: "\(old == nil ? "something new" : "something changed") outside of the copy",
                    what: "\(look.name) \(String(look.mode, radix: 8)) \(look.link ?? "")"))
        }
        found += before.keys.map { Complaint(kind: "something is gone outside of the copy", what: $0) }
        return found
    }

    private func copy() -> [Complaint] {
        guard run.status == 0 else {
            // A copy that could not be started stays.
            let left = ["data", "space", "waldir"].filter { Files.look("\(place.work)/\($0)", as: "") != nil }
            guard !left.isEmpty, !run.isStubborn, [0, 1].contains(run.status), lie.order.kind != .start else {
                return []
            }
            // A mark stays where it alone knows of a slot that a server did not drop.
            let said = String(decoding: run.errors, as: UTF8.self)
            let hasSlot = said.contains("warning: could not drop replication slot") && said.contains("notes it")
            if hasSlot, left == ["data"], Files.names("\(place.work)/data") == ["pgsql_tmp.understudy"] { return [] }
            return [Complaint(kind: "a failed run leaves something", what: left.joined(separator: " "))]
        }
        return []
    }

    /// - Parameter truth: What a run of the same kind made of the truth.
    func complaints(_ copy: Copy, beside truth: Copy) -> [Complaint] {
        var found = copy.flaws(of: lie).map { Complaint(kind: "a copy of what no server sends", what: $0) }
        let differences = truth.differences(from: copy, of: lie)
        if !differences.isEmpty {
            found.append(Complaint(kind: "a lie is in the copy", what: differences.prefix(5).joined(separator: ", ")))
        }
        return found
    }

    private func archive() -> [Complaint] {
        // What was killed in its midst has cleaned nothing up.
        guard !run.isStubborn else { return acknowledged() }
        return acknowledged()
            + Files.tree(place.wal).compactMap { look in
                let name = look.name
                if name == "diverged", look.isDirectory { return nil }
                let isWAL =
                    name.wholeMatch(
                        of: /([0-9A-F]{24}(\.gz|\.lz4|\.zst)?(\.partial)?|[0-9A-F]{8}\.history(\.gz|\.lz4|\.zst)?)/)
                    != nil
                // Behind its name stands when it was set aside.
                let isDiverged =
                    name.wholeMatch(of: /diverged\/[0-9A-F]{8}[0-9A-Za-z.]*\.[0-9]{8}T[0-9]{6}Z(-[0-9]+)?/) != nil
                if look.isFile, look.permissions & 0o7137 == 0, isWAL || isDiverged { return nil }
                return Complaint(kind: "an archive with more than WAL", what: "\(name) \(String(look.mode, radix: 8))")
            }
    }

    /// Where WAL came from the truth alone, no more of it than there was is acknowledged.
    private func acknowledged() -> [Complaint] {
        let end = Tale.start + UInt64(Tale.walBytes)
        return statuses.compactMap { status in
            if status.flushed <= status.written, lie.walMayDiffer || lie.isWireChanged || status.flushed <= end {
                return nil
            }
            return Complaint(kind: "more is acknowledged than was sent", what: "\(status)")
        }
    }
}
