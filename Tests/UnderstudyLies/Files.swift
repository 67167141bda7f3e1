import Glibc

/// Files, without what a library would do on top.
enum Files {
    struct Look: Equatable {
        var name: String
        var mode: UInt32
        var owner: [UInt32]
        var size: Int
        var inode: UInt
        /// Nobody can set it: unchanged, so are content, mode, owner and times.
        var changed: [Int]
        var link: String?

        var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
        var isFile: Bool { mode & S_IFMT == S_IFREG }
        var permissions: UInt32 { mode & 0o7777 }
    }

    static func look(_ path: String, as name: String) -> Look? {
        // SAFETY: `info` lives through the call.
        var info = stat()
        guard unsafe lstat(path, &info) == 0 else { return nil }
        return Look(
            name: name, mode: info.st_mode, owner: [info.st_uid, info.st_gid],
            size: info.st_mode & S_IFMT == S_IFREG ? Int(info.st_size) : 0, inode: UInt(info.st_ino),
            changed: [info.st_ctim.tv_sec, info.st_ctim.tv_nsec, info.st_mtim.tv_sec, info.st_mtim.tv_nsec],
            link: info.st_mode & S_IFMT == S_IFLNK ? target(path) : nil)
    }

    /// Everything below a directory, names relative to it, in order.
    static func tree(_ path: String, under prefix: String = "") -> [Look] {
        var found: [Look] = []
        for name in names(path) {
            guard let look = look("\(path)/\(name)", as: prefix + name) else { continue }
            found.append(look)
            if look.isDirectory { found += tree("\(path)/\(name)", under: "\(prefix)\(name)/") }
        }
        return found
    }

    /// Sorted. Names that are no UTF-8 are repaired, so that they are told apart from all that should be there.
    static func names(_ path: String) -> [String] {
        rawNames(Array(path.utf8CString)).map { String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
            .sorted()
    }

    private static func rawNames(_ path: [CChar]) -> [[CChar]] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [[CChar]] = []
        // SAFETY: an entry is valid until the next readdir, and its name ends with NUL.
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) }
            }
            if name != [46], name != [46, 46] { names.append(name) }
        }
        return names
    }

    static func bytes(_ path: String) -> [UInt8]? {
        var file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if file < 0, errno == EACCES, unsafe chmod(path, 0o600) == 0 { file = unsafe open(path, O_RDONLY | O_CLOEXEC) }
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1 << 16)
        // SAFETY: read writes at most the size of the buffer.
        while case let count = unsafe read(file, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
        return bytes
    }

    static func make(directory path: String, mode: UInt32 = 0o700) {
        _ = unsafe mkdir(path, mode)
    }

    static func make(file path: String, _ text: String, mode: UInt32 = 0o600) {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { return }
        let bytes = Array(text.utf8)
        // SAFETY: write reads no more than the array holds.
        _ = unsafe write(file, bytes, bytes.count)
        close(file)
    }

    /// Removes a directory and all below it, whatever their names and modes.
    static func removeTree(_ path: String) { removeTree(Array(path.utf8CString)) }

    private static func removeTree(_ path: [CChar]) {
        _ = unsafe chmod(path, 0o700)
        for name in rawNames(path) {
            let inner = path.dropLast() + [CChar(UInt8(ascii: "/"))] + name + [0]
            if unsafe unlink(Array(inner)) != 0 { removeTree(Array(inner)) }
        }
        if unsafe rmdir(path) != 0 { _ = unsafe unlink(path) }
    }

    private static func target(_ path: String) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            // SAFETY: readlink writes at most the size that is said.
            unsafe readlink(path, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
