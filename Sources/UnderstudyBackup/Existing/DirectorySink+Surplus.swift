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
        let roots = try existingRoots()
        var surplus = Surplus()
        let kept = Monitor(TruncatedList())
        var look = SurplusWalk(table, archives, roots, removes: false, interrupt: interrupt) { finding in
            if case .kept(let path) = finding { kept.update { $0.note("\"\(path)\"") } }
        }
        try look.run()
        surplus.figures = look.figures
        surplus.kept = kept.read { $0 }
        // Holes may make it smaller; a lack of room was warned of before anything changed.
        if !layout.leavesHoles {
            try SpaceCheck.check(growth(archives, look.figures), freed: look.figures.surplus.bytes)
        }
        var removal = SurplusWalk(table, archives, roots, removes: true, interrupt: interrupt) { _ in }
        try removal.run()
        notes.note(surplus)
    }

    private func existingRoots() throws(UnderstudyError) -> ExistingRoots {
        let layout = layout
        return ExistingRoots(
            data: try layout.data.open().directory, walName: "\(layout.walName)",
            isLinked: layout.tablespaces.keys.reduce(into: [:]) { $0[$1] = layout.links[$1] != nil },
            tablespace: { oid throws(UnderstudyError) in try layout.tablespaces[oid]?.open().directory })
    }

    /// What each archive still needs.
    private func growth(_ archives: [AnnouncedArchive], _ figures: ExistingFigures) -> [PlacedArchive] {
        archives.enumerated().map { index, archive in
            PlacedArchive(
                announced: figures.growth(of: archive, index),
                root: archive.oid.flatMap { layout.tablespaces[$0] } ?? layout.data)
        }
    }
}
