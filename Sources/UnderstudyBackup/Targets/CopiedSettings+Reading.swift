package import UnderstudyConfiguration
import UnderstudyPlatform

extension CopiedSettings {
    /// Reads the configuration that the server of a copy will read, as far as it is readable here.
    ///
    /// - Parameters:
    ///   - directory: The copy.
    ///   - configFile: The main configuration file, if it is not the copy's own.
    ///   - hasAutoConf: Whether the server reads postgresql.auto.conf last (from 9.4).
    package init(in directory: String, configFile: String?, hasAutoConf: Bool) {
        self.init()
        // Files that include each other would be read without end.
        var filesLeft = 256
        if !read(configFile ?? "\(directory)/postgresql.conf", depth: 0, &filesLeft) { isComplete = false }
        if hasAutoConf { read("\(directory)/postgresql.auto.conf", depth: 0, &filesLeft) }
    }

    /// The server also gives up at this depth.
    private static let deepest = 10
    private static let largest = 1 << 20

    /// - Returns: Whether there is such a file. The server skips one that is absent, or does not start without it.
    @discardableResult
    private mutating func read(_ path: String, depth: Int, _ filesLeft: inout Int) -> Bool {
        let bytes: [UInt8]
        do throws(FileIOError) {
            guard let found = try bytesOfRegularFile(path, atMost: Self.largest) else { return false }
            bytes = found
        } catch {
            isComplete = false
            return true
        }
        guard depth <= Self.deepest, filesLeft > 0 else {
            isComplete = false
            return true
        }
        filesLeft -= 1
        for line in ConfigurationLine.read(String(decoding: bytes, as: UTF8.self)) {
            switch line {
            case .setting(let name, let value): set(name, value, file: path)
            case .include(let file): read(Self.resolve(file, beside: path), depth: depth + 1, &filesLeft)
            case .includeDirectory(let name):
                let directory = Self.resolve(name, beside: path)
                do throws(FileIOError) {
                    for name in try Self.names(in: directory) {
                        read("\(directory)/\(name)", depth: depth + 1, &filesLeft)
                    }
                } catch { isComplete = false }
            }
        }
        return true
    }

    /// The files that include_dir includes, in the server's order.
    private static func names(in directory: String) throws(FileIOError) -> [String] {
        var names: [String] = []
        try ConfinedDirectory(path: directory).forEachEntry { entry throws(FileIOError) in
            let name = entry.name.description
            if name.hasSuffix(".conf") && !name.hasPrefix(".") { names.append(name) }
            return true
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func resolve(_ path: String, beside file: String) -> String {
        path.isAbsolutePath ? path : "\(file.parentPath)/\(path)"
    }
}
