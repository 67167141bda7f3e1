package import UnderstudyCore
import UnderstudyPlatform
package import UnderstudyProtocol

/// What a directory has and the source has not.
struct Surplus: Sendable {
    var figures = ExistingFigures()
    var kept = TruncatedList()
}

extension DirectorySink {
    package func removeSurplus(
        besides table: FileTable, of archives: [AnnouncedArchive]
    ) throws(UnderstudyError) {
        guard layout.updates else { return }
        let kept = Monitor(TruncatedList())
        var removal = SurplusWalk(table, archives, try existingRoots(), removes: true, interrupt: interrupt) {
            finding in
            if case .kept(let path) = finding { kept.update { $0.note("\"\(path)\"") } }
        }
        try removal.run()
        notes.note(Surplus(figures: removal.figures, kept: kept.read { $0 }))
    }

    private func existingRoots() throws(UnderstudyError) -> ExistingRoots {
        let layout = layout, data = try layout.data.open().directory, walName = "\(layout.walName)"
        var roots = ExistingRoots(
            data: data, walName: walName,
            isLinked: layout.tablespaces.keys.reduce(into: [:]) { $0[$1] = layout.links[$1] != nil },
            tablespace: { oid throws(UnderstudyError) in try layout.tablespaces[oid]?.open().directory })
        roots.wal = try layout.wal?.open().directory ?? (try? data.openDirectory(RelativePath(walName)))
        return roots
    }
}
