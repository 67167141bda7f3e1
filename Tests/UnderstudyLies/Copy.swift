/// What a backup has made: the data directory, and the tablespace beside it.
struct Copy: Sendable {
    private var entries: [String: Files.Look] = [:]
    private var contents: [String: [UInt8]] = [:]
    private let release: Release

    init(_ place: Place, release: Release) {
        self.release = release
        for (name, path) in [("data", place.target), ("space", place.space), ("elsewhere", place.elsewhere)] {
            for look in Files.tree(path) {
                entries["\(name)/\(look.name)"] = look
                // WAL is large, and no manifest lists it.
                if look.isFile, !look.name.hasPrefix("\(release.walDirectory)/") {
                    contents["\(name)/\(look.name)"] = Files.bytes("\(path)/\(look.name)")
                }
            }
        }
    }

    /// What can be in no copy, whatever was told.
    func flaws(of lie: Lie) -> [String] {
        entries.sorted { $0.key < $1.key }.compactMap { name, look in
            let parts = name.split(separator: "/").dropFirst()
            let description = "\(name) \(String(look.mode, radix: 8))"
            // It was there before, and as it was.
            if name == "elsewhere/empty" { return nil }
            if look.isDirectory {
                // Only what data_directory_mode allows.
                if look.permissions & 0o7027 != 0 { return description }
            } else if let link = look.link {
                let isTablespace = parts.count == 2 && parts.first == "pg_tblspc"
                let isWAL = parts.first == lie.release.walDirectory[...] && parts.count == 1
                if !isTablespace && !isWAL { return "\(description) -> \(link)" }
            } else if !look.isFile || look.permissions & 0o7137 != 0 {
                return description
            }
            if parts.contains(where: { $0.hasPrefix("pgsql_tmp") }) { return description }
            if parts.count == 1, ["postmaster.pid", "postmaster.opts", "tablespace_map"].contains(parts.first) {
                return description
            }
            if parts.first == "backup_manifest", !look.isFile { return description }
            if name.hasPrefix("space/"), parts.first?.hasPrefix("PG_") != true { return description }
            return nil
        }
    }

    /// How another copy differs from this one, of which the truth was told, in what cannot have come to differ unseen.
    func differences(from other: Copy, of lie: Lie) -> [String] {
        if lie.isOtherVersion { return [] }
        return Set(entries.keys).union(other.entries.keys).sorted().compactMap { name in
            let parts = name.split(separator: "/").dropFirst()
            // No manifest lists WAL, nor itself.
            if parts.first == lie.release.walDirectory[...] || name == "data/backup_manifest" { return nil }
            // Where a tablespace is belongs to what the server says, and nothing tells whether it is so.
            if parts.first == "pg_tblspc", parts.count == 2, lie.isPlaceMoved || lie.isWireChanged { return nil }
            if lie.isPlaceMoved || lie.isWireChanged, name.hasPrefix("elsewhere/") || name.hasPrefix("space/") {
                return nil
            }
            guard let mine = entries[name], let theirs = other.entries[name] else {
                if lie.contentMayDiffer { return nil }
                // No manifest lists a directory.
                if (entries[name] ?? other.entries[name])?.isDirectory == true { return nil }
                return "\(name) \(entries[name] == nil ? "is more" : "is missing")"
            }
            if mine.mode & 0o170000 != theirs.mode & 0o170000 || mine.link != theirs.link {
                return "\(name) is another kind"
            }
            // Where the settings of the copy cannot be read, more of them are set again: its kind has to be the same.
            let settings = other.entries["data/postgresql.conf"]
            if name == "data/postgresql.auto.conf", settings.map({ $0.mode & 0o400 == 0 }) == true { return nil }
            if !lie.contentMayDiffer, contents[name] != other.contents[name] { return "\(name) differs" }
            return nil
        }
    }
}
