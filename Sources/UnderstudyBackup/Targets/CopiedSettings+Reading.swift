import UnderstudyConfiguration
import UnderstudyPlatform

extension CopiedSettings {
    /// Reads the configuration that the server of a copy will read, as far as it is readable here.
    ///
    /// - Parameters:
    ///   - directory: The copy.
    ///   - configFile: The main configuration file, if it is not the copy's own.
    ///   - hasAutoConf: Whether the server reads postgresql.auto.conf last (from 9.4).
    init(in directory: String, configFile: String?, hasAutoConf: Bool) {
        self.init()
        // Files that include each other would be read without end.
        var filesLeft = 256
        read(configFile ?? "\(directory)/postgresql.conf", depth: 0, &filesLeft)
        if hasAutoConf { read("\(directory)/postgresql.auto.conf", depth: 0, &filesLeft) }
    }

    /// The server also gives up at this depth.
    private static let deepest = 10
    private static let largest = 1 << 20

    private mutating func read(_ path: String, depth: Int, _ filesLeft: inout Int) {
        guard depth <= Self.deepest, filesLeft > 0, let bytes = bytesOfRegularFile(path, atMost: Self.largest) else {
            return
        }
        filesLeft -= 1
        for line in ConfigurationLine.read(String(decoding: bytes, as: UTF8.self)) {
            switch line {
            case .setting(let name, let value): set(name, value, file: path)
            case .include(let file): read(Self.resolve(file, beside: path), depth: depth + 1, &filesLeft)
            case .includeDirectory(let name):
                let directory = Self.resolve(name, beside: path)
                var names: [String] = []
                try? ConfinedDirectory(path: directory).forEachEntry { entry throws(FileIOError) in
                    let name = entry.name.description
                    if name.hasSuffix(".conf") && !name.hasPrefix(".") { names.append(name) }
                    return true
                }
                for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
                    read("\(directory)/\(name)", depth: depth + 1, &filesLeft)
                }
            }
        }
    }

    private static func resolve(_ path: String, beside file: String) -> String {
        path.isAbsolutePath ? path : "\(file.parentPath)/\(path)"
    }
}
