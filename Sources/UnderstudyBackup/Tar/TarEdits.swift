import UnderstudyBackupFormat
import UnderstudyConfiguration
import UnderstudyCore

/// Changes to files of the data directory that are made while its archive passes.
struct TarEdits: Sendable {
    private var edits: [StandbyConfiguration.FileEdit] = []
    /// Names of files that have passed.
    private var seen: Set<String> = []

    var isEmpty: Bool { edits.isEmpty }

    mutating func add(_ edit: StandbyConfiguration.FileEdit) {
        edits.append(edit)
    }

    /// - Throws: If the archives are on their way already.
    mutating func add(
        _ edit: StandbyConfiguration.FileEdit, before sink: TarArchiveSink?, of target: String
    ) throws(UnderstudyError) {
        guard sink == nil else {
            throw UnderstudyError(.options, "\(target): file \"\(edit.name)\" came after the archives")
        }
        add(edit)
    }

    /// What becomes of a file that the server sends.
    enum Fate: Equatable {
        case kept
        /// With bytes behind its content.
        case extended([UInt8])
        /// Another one takes its place.
        case leftOut
    }

    mutating func fate(of path: MemberPath) -> Fate {
        guard let name = path.string, edits.contains(where: { $0.name == name }) else { return .kept }
        seen.insert(name)
        let own = edits.filter { $0.name == name }
        if own.contains(where: { $0.kind == .create }) { return .leftOut }
        return .extended(own.flatMap { Array($0.content.utf8) })
    }

    /// The files that must follow, because the server sent none of their names, or because they replace its own.
    var additions: [(name: String, content: [UInt8])] {
        var names: [String] = []
        for edit in edits where !names.contains(edit.name) { names.append(edit.name) }
        return names.compactMap { name in
            let own = edits.filter { $0.name == name }
            let replaces = own.contains { $0.kind == .create }
            guard replaces || !seen.contains(name), own.contains(where: { $0.kind != .appendIfPresent }) else {
                return nil
            }
            return (name, own.flatMap { Array($0.content.utf8) })
        }
    }
}
