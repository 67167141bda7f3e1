import Foundation
import Testing
import UnderstudyTestSupport

/// Symbolic links in a server's data directory, which SQL follows.
@Suite(.disabled(if: isStock)) struct LinkedFilesTests {
    @Test func `what a link leads to is copied, but for what cannot be read or leads back`() throws {
        let cluster = try Cluster(.newest)
        let outside = try TestDirectory.make("outside", mode: 0o755)
        try TestDirectory.write("open", to: "\(outside)/open", mode: 0o644)
        try TestDirectory.write("shut", to: "\(outside)/shut", mode: 0)
        for (name, mode) in [("closed", 0), ("sub", 0o755)] {
            try TestDirectory.make(at: "\(outside)/\(name)", mode: mode)
        }
        defer {
            try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: "\(outside)/closed")
        }
        let links = [
            ("\(cluster.directory)/link", outside), ("\(cluster.directory)/loop", "."),
            ("\(cluster.directory)/itself", "itself"), ("\(outside)/sub/up", ".."),
        ]
        for (path, place) in links {
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: place)
        }
        // No loop, though names recur.
        for path in ["log", "log/log", "log/log/log"] {
            try TestDirectory.make(at: "\(cluster.directory)/\(path)", mode: 0o755)
        }
        try TestDirectory.write("line", to: "\(cluster.directory)/log/log/log/log", mode: 0o644)

        let target = TestDirectory.freshPath("backup")
        let result = try basebackup(cluster, to: target, ["--jobs", "2"])
        #expect(result.status == 0, "\(result)")
        let text = result.errorOutput
        #expect(text.contains("warning: 5 files or directories of the server cannot be read"), "\(text)")
        for name in ["\"link/shut\" (", "\"link/closed\" (the server may not enter it)", "\"itself\" ("] {
            #expect(text.contains(name), "\(text)")
        }
        for name in ["loop", "link/sub/up"] { #expect(text.contains("\"\(name)\" (it leads back"), "\(text)") }
        #expect(FileTree.names("\(target)/link") == ["open", "sub"])
        #expect(FileTree.names("\(target)/link/sub") == [])
        #expect(try FileTree.text("\(target)/log/log/log/log") == "line")
        #expect(!FileTree.exists("\(target)/loop") && !FileTree.exists("\(target)/itself"))
        #expect(try verify(target, of: cluster).status == 0)

        // What a server makes has to be in the copy.
        let database = try cluster.sql("SELECT oid FROM pg_database WHERE datname = 'postgres'")
        try TestDirectory.write("x", to: "\(cluster.directory)/base/\(database)/pg_filenode.odd", mode: 0)
        let second = TestDirectory.freshPath("backup")
        expectRefused(
            try basebackup(cluster, to: second, ["--jobs", "2"]), "base/\(database)/pg_filenode.odd",
            "Permission denied")
        #expect(!FileTree.exists(second))
    }
}
