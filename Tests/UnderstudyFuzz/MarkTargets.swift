import Glibc

@testable import UnderstudyBackup
@testable import UnderstudyPlatform

/// Texts of ours that somebody else may have changed.
func fuzzTexts(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    // One that ends before it names its run is none that could be written again.
    guard let record = try? UnfinishedRecord(reading: text), !record.run.isEmpty else { return }
    precondition((try? UnfinishedRecord(reading: record.text)) == record, "a mark changes when it is written again")
    precondition(record.others.allSatisfy { $0.hasPrefix("/") } && record.made.allSatisfy { $0.path.hasPrefix("/") })
}

/// A mark of these bytes in a directory of the user that root has named as owner. `@T`, `@A` and so on stand for device
/// and inode of a directory, `@t` and so on for its path, so that mutation gets beyond the comparison of the two.
///
/// Whatever it says: nothing of another directory is touched, and none is given away.
func fuzzMarks(_ bytes: [UInt8]) {
    let place = MarkPlace.place
    place.write(bytes)
    if let found = UnfinishedDirectory.find(place.path("target"), trust: place.trust) {
        try? found.removeMarks(trust: place.trust)
        try? found.remove(trust: place.trust)
    }
    place.check()
}

/// Directories that are made once and for all: `target` with the mark, `theirs`, which belongs to the same user and has a
/// mark of the same run for another data directory, and `precious` and the base, which belong to the user that runs this.
private final class MarkPlace: Sendable {
    static let place = MarkPlace()

    private let base: String
    private let user: UInt32
    let trust: TrustedUsers
    private static let run = "1a2b3c"

    private init() {
        base = "/tmp/understudy-fuzz-\(getpid())"
        user = geteuid() == 0 ? 65534 : geteuid()
        trust = TrustedUsers(owner: FileOwner(user: user, group: user))
        _ = unsafe mkdir(base, 0o755)
        for name in ["target", "theirs", "precious"] { _ = unsafe mkdir(path(name), 0o755) }
        for name in ["theirs", "precious"] { put(name, "file", "x") }
        let record = "format 2\nrun \(Self.run)\ndirectory @D\ndata 1 2 /elsewhere\nstage filling\n"
        for name in ["theirs", "precious"] {
            put(name, "\(UnfinishedMark.name)", record.replacing("@D", with: numbers(name)))
        }
        for name in ["target", "theirs", "theirs/file", "theirs/\(UnfinishedMark.name)"] { give(path(name)) }
        atexit { MarkPlace.place.removeAll() }
    }

    func path(_ name: String) -> String { "\(base)/\(name)" }

    private func numbers(_ name: String) -> String {
        guard let identity = try? ConfinedDirectory(path: path(name)).identity() else { return "0 0" }
        return "\(identity.device) \(identity.inode)"
    }

    private func give(_ path: String) {
        precondition(unsafe lchown(path, user, user) == 0)
    }

    private func put(_ directory: String, _ name: String, _ text: String) {
        guard let directory = try? ConfinedDirectory(path: path(directory)),
            let file = try? directory.createFile(RelativePath(name), mode: 0o600)
        else { preconditionFailure("could not make a file in \(path(directory))") }
        let bytes = Array(text.utf8)
        try? unsafe file.write(bytes.span.bytes, at: 0, path: name)
    }

    func write(_ bytes: [UInt8]) {
        var text = String(decoding: bytes, as: UTF8.self)
        for name in ["target", "theirs", "precious"] {
            let letter = name.prefix(1)
            let sign = name == "theirs" ? "H" : letter.uppercased()
            text = text.replacing("@\(sign)", with: numbers(name)).replacing("@\(sign.lowercased())", with: path(name))
        }
        text = text.replacing("@R", with: Self.run).replacing("@b", with: base)
        if unsafe mkdir(path("target"), 0o755) == 0 { give(path("target")) }
        _ = unsafe unlink(path("target/\(UnfinishedMark.name)"))
        put("target", "\(UnfinishedMark.name)", text)
        give(path("target/\(UnfinishedMark.name)"))
        _ = unsafe unlink(path("target/file"))
        put("target", "file", "x")
    }

    func check() {
        func status(_ name: String) -> stat {
            var info = stat()
            precondition(unsafe lstat(path(name), &info) == 0, "\(name) is gone")
            return info
        }
        for name in ["precious", "precious/file", "precious/\(UnfinishedMark.name)"] {
            precondition(status(name).st_uid == geteuid(), "\(name) was given away")
        }
        for name in ["theirs", "theirs/file", "theirs/\(UnfinishedMark.name)"] {
            precondition(status(name).st_uid == user, "\(name) was given away")
        }
        for name in ["theirs", "precious"] { precondition(status(name).st_mode & 0o7777 == 0o755, "another mode") }
        var info = stat()
        if unsafe lstat(path("target"), &info) == 0 {
            precondition(info.st_uid == user, "the target was given away")
            precondition(info.st_mode & 0o7000 == 0, "the target got a mode that its owner cannot give")
        }
    }

    private func removeAll() {
        for name in ["target", "theirs", "precious"] {
            try? ConfinedDirectory(path: path(name)).removeContents()
            _ = unsafe rmdir(path(name))
        }
        _ = unsafe rmdir(base)
    }
}
