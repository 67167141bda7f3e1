import Foundation
import Glibc

/// What lies beneath a directory: to see that nothing was touched, or nothing left.
package enum FileTree {
    /// The entries beneath `path`, the directory itself included as ".", each with its kind, mode, owner, and content.
    /// Symbolic links are shown, not followed. Empty where nothing is there.
    package static func snapshot(_ path: String) -> [String] {
        var lines: [String] = []
        if let line = describe(path, as: ".") { lines.append(line) }
        for name in FileManager.default.subpaths(atPath: path) ?? [] {
            if let line = describe("\(path)/\(name)", as: name) { lines.append(line) }
        }
        return lines.sorted()
    }

    /// The names in a directory, sorted; empty where it does not exist.
    package static func names(_ path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    package static func exists(_ path: String) -> Bool {
        // SAFETY: `status` lives through the call.
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    /// The bytes that a file takes on the disk: those in holes take none.
    package static func allocated(_ path: String) throws -> Int {
        // SAFETY: `status` lives through the call.
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { throw SupportError("could not stat \(path): errno \(errno)") }
        return Int(status.st_blocks) * 512
    }

    /// The permission bits: 0o700.
    package static func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? Int) ?? 0
    }

    package static func text(_ path: String) throws -> String {
        String(decoding: try bytes(path), as: UTF8.self)
    }

    package static func bytes(_ path: String) throws -> [UInt8] {
        // Not by String(contentsOfFile:), which may take a file of /proc for shorter than it is.
        guard let file = unsafe fopen(path, "r") else { throw SupportError("could not open \(path)") }
        defer { unsafe fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            // SAFETY: fread writes at most the size of the buffer.
            let count = unsafe fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    package static func linkTarget(_ path: String) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: path)
    }

    private static func describe(_ path: String, as name: String) -> String? {
        // SAFETY: `status` lives through the call.
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        var content = ""
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            let bytes = FileManager.default.contents(atPath: path) ?? Data()
            // Data's own hash looks at its beginning only; and not byte by byte, which takes a hundred times as long.
            var hasher = Hasher()
            // SAFETY: the hasher reads within the call.
            unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
            content = "\(bytes.count) bytes, hash \(hasher.finalize())"
        case S_IFLNK: content = (try? linkTarget(path)) ?? "?"
        default: break
        }
        return "\(name) \(String(status.st_mode, radix: 8)) \(status.st_uid):\(status.st_gid) \(content)"
    }
}
