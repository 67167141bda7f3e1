import Foundation
import Testing
import UnderstudyTestSupport

/// The tools of the compressions, by the suffix of an archive.
let compressionPrograms = ["gz": "gzip", "lz4": "lz4", "zst": "zstd"]

/// Runs GNU tar, as users do, with the tool of the archive's compression, which also checks the whole of it.
private func tar(_ archive: String, _ arguments: [String]) throws -> String {
    let suffix = String(archive.split(separator: ".").last!)
    let reader = compressionPrograms[suffix].map { ["-I", suffix == "zst" ? "\($0) --long=27" : $0] } ?? []
    let result = try Program.run("/usr/bin/tar", reader + ["-f", archive] + arguments)
    #expect(result.status == 0 && result.errorOutput.isEmpty, "\(result)")
    return result.output
}

/// The members of an archive in their order; directories have a slash at the end.
func members(of archive: String) throws -> [String] {
    try tar(archive, ["-t"]).split(separator: "\n").map(String.init)
}

func extractArchive(_ archive: String, to target: String) throws {
    if !FileTree.exists(target) { try TestDirectory.make(at: target) }
    _ = try tar(archive, ["-x", "-p", "-C", target])
}

/// Takes the archives of a backup apart: WAL into pg_wal, each tablespace into `space-OID`. The manifest comes along.
func extractBackup(_ archives: String, to target: String) throws {
    let names = FileTree.names(archives).filter { $0.contains(".tar") }
    for name in names where name.hasPrefix("base.") { try extractArchive("\(archives)/\(name)", to: target) }
    for name in names where !name.hasPrefix("base.") {
        let identifier = name.prefix { $0 != "." }
        try extractArchive(
            "\(archives)/\(name)",
            to: identifier == "pg_wal" ? "\(target)/pg_wal" : "\(target)/space-\(identifier)")
    }
    try Program.check("/bin/cp", ["\(archives)/backup_manifest", "\(target)/backup_manifest"])
}

/// Puts an extracted tablespace elsewhere, and the map in the copy says where: its server makes the link from that.
func moveTablespace(of target: String, named identifier: String) throws -> String {
    let space = TestDirectory.freshPath("space")
    try FileManager.default.moveItem(atPath: "\(target)/space-\(identifier)", toPath: space)
    try TestDirectory.write("\(identifier) \(space)\n", to: "\(target)/tablespace_map")
    return space
}
