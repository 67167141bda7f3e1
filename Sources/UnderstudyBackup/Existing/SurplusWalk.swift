import Glibc
import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Compares names, kinds and sizes in a data directory with those that its source lists, or removes what is surplus.
///
/// One directory at a time is held in memory beside the list. No link is followed, nothing outside of the roots is touched,
/// and no other file system is entered.
struct SurplusWalk {
    enum Finding {
        /// Goes: relative to the data directory.
        case surplus(String)
        /// Stays, though the source has none.
        case kept(String)
        /// Gets the source's contents. It has another size, or is no server's alone: of that, a size tells little.
        case replaced(String)
    }

    private struct Key: Hashable {
        var archive: Int
        var member: [UInt8]
    }

    private let table: FileTable
    private let archives: [AnnouncedArchive]
    private let roots: ExistingRoots
    private let interrupt: Interrupt?
    /// Whether surplus is removed; if not, the sizes of what both have are looked at.
    private let removes: Bool
    private let report: (Finding) -> Void
    /// The files of each directory, which the list has one after another.
    private var files: [Range<Int>]
    private var directories: [Key: Int] = [:]
    private(set) var figures = ExistingFigures()

    init(
        _ table: FileTable, _ archives: [AnnouncedArchive], _ roots: ExistingRoots, removes: Bool,
        interrupt: Interrupt?,
        report: @escaping (Finding) -> Void
    ) {
        self.table = table
        self.archives = archives
        self.roots = roots
        self.removes = removes
        self.interrupt = interrupt
        self.report = report
        files = Array(repeating: 0..<0, count: table.directories.count)
        for (index, file) in table.files.enumerated() {
            let directory = Int(file.directory), range = files[directory]
            files[directory] = (range.isEmpty ? index : range.lowerBound)..<index + 1
            figures.source.count(file.size)
        }
        for (index, directory) in table.directories.enumerated() {
            directories[Key(archive: directory.archive, member: directory.member)] = index
        }
    }

    mutating func run() throws(UnderstudyError) {
        for (index, archive) in archives.enumerated() {
            let root = if let oid = archive.oid { try roots.tablespace(oid) } else { roots.data }
            guard let root else { continue }
            do throws(FileIOError) {
                if let oid = archive.oid {
                    try visitTablespace(root, Place(archive: index, shown: "pg_tblspc/\(oid)/"))
                } else {
                    try visit(root, Place(archive: index))
                    try visitWAL()
                }
            } catch { throw Self.inTheWay(error) }
        }
        figures.settle()
    }

    private static func inTheWay(_ error: FileIOError) -> UnderstudyError {
        var failure = UnderstudyError(error, else: .target)
        switch error.number {
        case EEXIST: failure.hint = "Move it out of the directory: it is not what the source has there."
        case EXDEV: failure.hint = "Unmount it, or copy into an empty directory."
        default: break
        }
        return failure
    }

    // MARK: - Directories

    /// A directory on the way.
    private struct Place {
        /// The index of its archive.
        var archive: Int
        /// Relative to the root of the archive; empty for that itself.
        var member: [UInt8] = []
        /// What paths begin with in findings.
        var shown = ""
        /// Whether a server alone writes here.
        var isOfServer = false

        var isTop: Bool { member.isEmpty }

        func inside(_ name: [UInt8], isOfServer: Bool) -> Place {
            var place = self
            place.member = member.isEmpty ? name : member + [UInt8(ascii: "/")] + name
            place.shown += MemberPath.escaped(name) + "/"
            place.isOfServer = isOfServer
            return place
        }
    }

    private typealias Entry = ConfinedDirectory.Entry

    private mutating func visit(_ directory: ConfinedDirectory, _ place: Place) throws(FileIOError) {
        var names: [ArraySlice<UInt8>: Int] = [:]
        if let index = directories[Key(archive: place.archive, member: place.member)] {
            for file in files[index] { names[table.name(table.files[file])] = file }
        }
        var surplus: [Entry] = [], inner: [(RelativePath, Place)] = []
        try Self.forEach(directory, interrupt) { entry throws(FileIOError) in
            let bytes = entry.name.bytes, text = entry.name.description
            if isPassedOver(text, entry, place) { return }
            if let file = names[bytes[...]] {
                if entry.kind == .file { return try compare(directory, entry.name, with: table.files[file], place) }
                return try replace(entry, directory, place, &surplus)
            }
            let place = place.inside(bytes, isOfServer: place.isOfServer || isOfServer(text, place))
            if directories[Key(archive: place.archive, member: place.member)] != nil {
                if entry.kind == .directory { return inner.append((entry.name, place)) }
                return try replace(entry, directory, place, &surplus)
            }
            note(entry, place, &surplus, isSurplus: isSurplus(entry, text, place))
        }
        try remove(surplus, from: directory, place)
        for (name, place) in inner {
            if directory.isMount(name) {
                // A file system in memory for what a server counts is emptied by the next server.
                if place.member.elementsEqual("pg_stat_tmp".utf8) { continue }
                throw FileIOError(
                    "could not compare what lies on another file system, in", directory.fullPath(name), number: EXDEV)
            }
            try visit(directory.openDirectory(name), place)
        }
        if place.isTop, roots.hasTablespaceLinks { try visitLinks(directory, place) }
    }

    private func isOfServer(_ name: String, _ place: Place) -> Bool {
        place.isTop && SurplusRules.directoriesOfServer.contains(name)
    }

    /// Whether it is not for this comparison: WAL has places and rules of its own, and so have links to tablespaces.
    private func isPassedOver(_ name: String, _ entry: Entry, _ place: Place) -> Bool {
        if place.isTop {
            return SurplusRules.isOurs(name) || name == SurplusRules.ofFileSystem || name == roots.walName
                || name == "pg_tblspc"
        }
        return place.member.elementsEqual("global".utf8)
            && [ExistingDirectory.hiddenControl, ControlFilePlace.untilComplete].contains(
                RelativePath("global/\(name)"))
    }

    /// - Parameter place: Of the entry, if it were a directory.
    private func isSurplus(_ entry: Entry, _ name: String, _ place: Place) -> Bool {
        if place.isOfServer && place.member.contains(UInt8(ascii: "/")) { return true }
        return !place.member.contains(UInt8(ascii: "/")) && entry.kind != .directory
            && SurplusRules.filesOfServer.contains(name)
    }

    /// What is of another kind than in the source goes if it is a server's, or a link: what that leads to stays.
    private func replace(
        _ entry: Entry, _ directory: ConfinedDirectory, _ place: Place, _ surplus: inout [Entry]
    ) throws(FileIOError) {
        guard place.isOfServer || entry.kind == .symbolicLink else {
            throw FileIOError(
                "could not make what the source has, in place of", directory.fullPath(entry.name), number: EEXIST)
        }
        reportTarget(of: entry, in: directory)
        surplus.append(entry)
    }

    /// What a link leads to stays where it goes.
    private func reportTarget(of entry: Entry, in directory: ConfinedDirectory) {
        if let target = directory.linkTarget(entry.name) { report(.kept(MemberPath.escaped(Array(target.utf8)))) }
    }

    private func note(_ entry: Entry, _ place: Place, _ surplus: inout [Entry], isSurplus: Bool) {
        if isSurplus { return surplus.append(entry) }
        report(.kept(String(place.shown.dropLast())))
    }

    private mutating func remove(
        _ surplus: [Entry], from directory: ConfinedDirectory, _ place: Place
    ) throws(FileIOError) {
        for entry in surplus {
            if let interrupt, interrupt.isRaised { throw .interrupted(directory.path) }
            figures.countSurplus(archive: place.archive, try size(of: entry, in: directory))
            report(.surplus(place.shown + MemberPath.escaped(entry.name.bytes)))
            if removes { try directory.removeTree(entry.name, interrupt: interrupt) }
        }
    }

    /// What is freed: of a directory, with all that is in it.
    private func size(of entry: Entry, in directory: ConfinedDirectory) throws(FileIOError) -> UInt64 {
        guard entry.kind == .directory else { return UInt64(max(0, try directory.sizeAndMode(of: entry.name).size)) }
        var sum: UInt64 = 0
        let inner = try directory.openDirectory(entry.name)
        try inner.forEachEntry { entry throws(FileIOError) in
            sum = sum.addingSaturated(try size(of: entry, in: inner))
            return true
        }
        return sum
    }

    private mutating func compare(
        _ directory: ConfinedDirectory, _ name: RelativePath, with file: FileTable.File, _ place: Place
    ) throws(FileIOError) {
        guard !removes else { return }
        let info = try directory.status(of: name), size = UInt64(max(0, info.st_size))
        // It comes whole, as a new file: another name keeps the old one, so nothing is freed.
        guard ConfinedDirectory.isUpdatable(info) else {
            return report(.replaced(place.shown + MemberPath.escaped(name.bytes)))
        }
        if size == file.size { figures.sameSize.count(size) } else { figures.otherSize.count(file.size) }
        figures.grow(archive: place.archive, by: size)
        if size != file.size || !place.isOfServer && name != "PG_VERSION" {
            report(.replaced(place.shown + MemberPath.escaped(name.bytes)))
        }
    }

    /// Not a method, so that `body` may change the comparison.
    private static func forEach(
        _ directory: ConfinedDirectory, _ interrupt: Interrupt?, _ body: (Entry) throws(FileIOError) -> Void
    ) throws(FileIOError) {
        try directory.forEachEntry { entry throws(FileIOError) in
            if let interrupt, interrupt.isRaised { throw .interrupted(directory.path) }
            try body(entry)
            return true
        }
    }

    /// What is in the WAL directory and not WAL: all of that goes before the copy, and the rest stays.
    private func visitWAL() throws(FileIOError) {
        guard let wal = roots.wal else { return }
        try Self.forEach(wal, interrupt) { entry throws(FileIOError) in
            let name = entry.name.description
            if SurplusRules.isOurs(name) || name == SurplusRules.ofFileSystem || SurplusRules.isOfWAL(name) { return }
            report(.kept("\(roots.walName)/\(MemberPath.escaped(entry.name.bytes))"))
        }
        let status = SurplusRules.archiveStatus
        guard try wal.kindIfThere(status) == .directory else { return }
        try Self.forEach(wal.openDirectory(status), interrupt) { entry throws(FileIOError) in
            if SurplusRules.isOfArchiveStatus(entry.name.description) { return }
            report(.kept("\(roots.walName)/\(status)/\(MemberPath.escaped(entry.name.bytes))"))
        }
    }

    // MARK: - Tablespaces

    /// Of a tablespace's directory, this run's is what lies in the directory for servers of this version.
    private mutating func visitTablespace(_ root: ConfinedDirectory, _ place: Place) throws(FileIOError) {
        var inner: [(RelativePath, Place)] = []
        try Self.forEach(root, interrupt) { entry throws(FileIOError) in
            let name = entry.name.description
            if SurplusRules.isOurs(name) || name == SurplusRules.ofFileSystem { return }
            let place = place.inside(entry.name.bytes, isOfServer: true)
            if entry.kind == .directory, directories[Key(archive: place.archive, member: place.member)] != nil {
                inner.append((entry.name, place))
            } else {
                report(.kept(String(place.shown.dropLast())))
            }
        }
        for (name, place) in inner { try visit(root.openDirectory(name), place) }
    }

    /// Links to tablespaces that the source has no more. The directories that they lead to stay: another data directory may
    /// have links to them, too.
    private mutating func visitLinks(_ data: ConfinedDirectory, _ place: Place) throws(FileIOError) {
        let links = try data.openDirectory("pg_tblspc")
        var surplus: [Entry] = []
        try Self.forEach(links, interrupt) { entry throws(FileIOError) in
            if let oid = UInt32(entry.name.description), let isLink = roots.isLinked[oid],
                entry.kind == (isLink ? .symbolicLink : .directory)
            {
                return
            }
            reportTarget(of: entry, in: links)
            surplus.append(entry)
        }
        try remove(surplus, from: links, place.inside(Array("pg_tblspc".utf8), isOfServer: true))
    }
}
