import Glibc
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// The files of a server: read here if it runs on this machine, else through its connection, if the role may do that.
struct PrimaryFiles {
    private let session: Session
    private let sql: PreparationSQL
    let paths: PreparationSQL.Files
    /// The server's data directory, if that is here.
    let directory: String?
    /// Its postmaster.pid; nil if it is not here.
    let postmaster: PostmasterFile?

    private static let largest = 16 << 20

    init(_ session: Session, _ sql: PreparationSQL) throws(UnderstudyError) {
        self.session = session
        self.sql = sql
        paths = try session.ask(sql.files)
        // No other server has the same file: it has the number and the start of the process, the port and the directory.
        if let directory = paths.dataDirectory,
            let here = try? bytesOfRegularFile("\(directory)/postmaster.pid", atMost: 1 << 16),
            let there = try? Self.ask(session, "postmaster.pid"), here == there
        {
            self.directory = directory
            postmaster = PostmasterFile(String(decoding: here, as: UTF8.self))
        } else {
            directory = nil
            postmaster = nil
        }
    }

    var isHere: Bool { directory != nil }

    /// - Returns: nil if there is no such file.
    func read(_ path: String) throws(UnderstudyError) -> [UInt8]? {
        guard isHere else { return try Self.ask(session, path) }
        do throws(FileIOError) { return try bytesOfRegularFile(path, atMost: Self.largest) } catch {
            throw UnderstudyError(error)
        }
    }

    private static func ask(_ session: Session, _ path: String) throws(UnderstudyError) -> [UInt8]? {
        let row: [[UInt8]?]
        do throws(ConnectionError) { row = try session.runForBytes(PreparationSQL.content(path)) } catch {
            if error.sqlState == "58P01" { return nil }
            throw UnderstudyError(error)
        }
        guard let digits = row.first ?? nil, digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16) else {
                throw UnderstudyError(ProtocolError("server sent a file that is not in hexadecimal digits"))
            }
            bytes.append(byte)
        }
        return bytes
    }

    // MARK: - Settings

    /// What the server's files set, for a superuser.
    func configured(
        _ names: [String], _ sql: PreparationSQL
    ) throws(UnderstudyError) -> [String: PreparationSQL.Configured] {
        if let query = sql.configured(names) { return try session.ask(query) }
        // 9.4 and before. Where other files are included, only what is running is known.
        var settings: [String: PreparationSQL.Configured] = [:]
        func add(_ path: String?, isOfAlterSystem: Bool) throws(UnderstudyError) {
            guard let path, let bytes = try? read(path) else { return }
            let file = ConfigurationDocument(bytes)
            for name in names {
                if let value = file.value(beyondIncludes: name) {
                    settings[name] = .init(value: value, isOfAlterSystem: isOfAlterSystem)
                }
            }
        }
        try add(paths.configuration, isOfAlterSystem: false)
        if sql.version.readsAutoConf {
            try add(paths.dataDirectory.map { "\($0)/postgresql.auto.conf" }, isOfAlterSystem: true)
        }
        return settings
    }

    // MARK: - Rules

    /// pg_hba.conf and what it includes.
    func rules() throws(UnderstudyError) -> (path: String, rules: HostRules) {
        guard let path = paths.rules else {
            throw UnderstudyError(.configuration, "where pg_hba.conf is, the role may not know")
        }
        return (path, try rules(path, depth: 0))
    }

    private func rules(_ path: String, depth: Int) throws(UnderstudyError) -> HostRules {
        let version = sql.version.number
        guard let bytes = try read(path) else {
            throw UnderstudyError(.configuration, "file \"\(path)\" of the primary does not exist")
        }
        var rules = HostRules(HostRulesFile(bytes, version: version), version: version)
        // The server also gives up at this depth.
        guard depth < 10 else { return rules }
        for (index, line) in rules.file.lines.enumerated() {
            guard case .include(let include) = line.content else { continue }
            let place = include.path.isAbsolutePath ? include.path : "\(path.parentPath)/\(include.path)"
            // What cannot be read may hold anything.
            rules.included[index] = try? included(include.kind, place, depth: depth + 1)
        }
        return rules
    }

    private func included(
        _ kind: HostRulesFile.Include.Kind, _ path: String, depth: Int
    ) throws(UnderstudyError) -> [HostRules] {
        switch kind {
        case .file: return [try rules(path, depth: depth)]
        case .fileIfThere: return try read(path) == nil ? [] : [try rules(path, depth: depth)]
        case .directory:
            let names = try names(in: path).filter { $0.hasSuffix(".conf") && !$0.hasPrefix(".") }
            var found: [HostRules] = []
            for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
                found.append(try rules("\(path)/\(name)", depth: depth))
            }
            return found
        }
    }

    private func names(in path: String) throws(UnderstudyError) -> [String] {
        guard isHere else { return try session.ask(sql.names(in: path)) }
        do throws(FileIOError) {
            return try ConfinedDirectory(path: path).entries().map(\.name.description)
        } catch { throw UnderstudyError(error) }
    }

    // MARK: - Writing

    /// Why a file cannot be replaced by this process; nil if it can.
    func obstacle(_ path: String) -> String? {
        let real = realPathToBe(path), user = userName(geteuid()) ?? "\(geteuid())"
        guard let directory = try? ConfinedDirectory(path: real.parentPath),
            let info = try? directory.status(of: RelativePath(real.lastPathComponent))
        else { return "file \"\(path)\" cannot be looked at by user \"\(user)\"" }
        if geteuid() != 0, info.st_uid != geteuid() {
            return
                "file \"\(path)\" belongs to user \"\(userName(info.st_uid) ?? "\(info.st_uid)")\", not to \"\(user)\""
        }
        guard unsafe access(directory.path, W_OK) == 0 else {
            return FileIOError("could not write into directory", directory.path).description
        }
        return nil
    }

    /// Keeps other runs from replacing a file, until the directory that is returned is unlocked.
    func lock(_ path: String) throws(UnderstudyError) -> ConfinedDirectory {
        let directory: ConfinedDirectory
        do throws(FileIOError) { directory = try ConfinedDirectory(path: realPathToBe(path).parentPath) } catch {
            throw UnderstudyError(error)
        }
        guard FileLock.take(.exclusive, of: directory.rawDescriptor, waitLimit: .seconds(10)) else {
            throw UnderstudyError(
                .configuration, "directory \"\(directory.path)\" is locked by another run",
                hint: "Wait for its end, and run this again.")
        }
        return directory
    }

    /// Replaces a file, and keeps the old one beside it. Take the lock first.
    ///
    /// - Parameter old: What it must have.
    /// - Returns: The path of the old one.
    func replace(_ path: String, _ old: [UInt8], by new: [UInt8]) throws(UnderstudyError) -> String {
        let real = realPathToBe(path), name = RelativePath(real.lastPathComponent)
        guard try read(path) == old else {
            throw UnderstudyError(
                .configuration, "file \"\(path)\" has changed meanwhile", hint: "Run this again: it plans anew.")
        }
        do throws(FileIOError) {
            let directory = try ConfinedDirectory(path: real.parentPath)
            let info = try directory.status(of: name)
            var kept = RelativePath("\(real.lastPathComponent).old"), number = 0
            while directory.exists(kept) {
                number += 1
                kept = RelativePath("\(real.lastPathComponent).old.\(number)")
            }
            let mode = UInt16(truncatingIfNeeded: info.st_mode & 0o777)
            let file = try directory.createFile(kept, mode: mode)
            do throws(FileIOError) {
                if geteuid() == 0 {
                    try file.setOwner(FileOwner(user: info.st_uid, group: info.st_gid), path: directory.fullPath(kept))
                }
                try unsafe file.write(old.span.bytes, at: 0, path: directory.fullPath(kept))
                try file.sync(path: directory.fullPath(kept))
                try directory.replaceDurably(name, by: new, temporary: Self.temporary(name), mode: mode)
            } catch {
                // The new one may be there already, and only its sync has failed.
                if let now = try? bytesOfRegularFile(real, atMost: Self.largest), now == old {
                    try? directory.remove(kept)
                }
                throw error
            }
            return directory.fullPath(kept)
        } catch { throw UnderstudyError(error) }
    }

    /// Puts the old file back, and removes the one that was kept.
    func putBack(_ path: String, _ old: [UInt8], kept: String) throws(UnderstudyError) {
        let real = realPathToBe(path), name = RelativePath(real.lastPathComponent)
        do throws(FileIOError) {
            let directory = try ConfinedDirectory(path: real.parentPath)
            try directory.replaceDurably(name, by: old, temporary: Self.temporary(name), mode: 0o600)
            try directory.removeDurably(RelativePath(kept.lastPathComponent))
        } catch { throw UnderstudyError(error) }
    }

    private static func temporary(_ name: RelativePath) -> RelativePath {
        RelativePath(".\(name).understudy")
    }
}
