import Understudy

/// What `--dry-run` says.
enum SurveyText {
    /// The first of the paths that a survey finds, and how many there are.
    struct Paths: Sendable {
        private(set) var removed: [String] = [], kept: [String] = [], replaced: [String] = []
        private(set) var keptCount = 0, replacedCount = 0
        /// An object is one line, which its reader holds whole.
        private static let most = 10_000

        mutating func note(_ path: BaseBackup.SurveyedPath) {
            switch path {
            case .removed(let path): if removed.count < Self.most { removed.append(path) }
            case .kept(let path):
                keptCount += 1
                if kept.count < Self.most { kept.append(path) }
            case .replaced(let path):
                replacedCount += 1
                if replaced.count < Self.most { replaced.append(path) }
            }
        }
    }

    static func line(_ path: BaseBackup.SurveyedPath) -> String {
        switch path {
        case .removed(let path): "remove  \(path)"
        case .kept(let path): "keep    \(path)"
        case .replaced(let path): "replace \(path)"
        }
    }

    static func text(_ survey: BaseBackup.Survey, _ paths: Paths, directory: String) -> String {
        """
        directory "\(PrintedText.line(directory))" \(state(survey))
        on the server:        \(figures(survey.source))
        here, of equal size:  \(figures(survey.sameSize)), of which blocks that differ would come
        here, of other size:  \(figures(survey.otherSize)), likewise
        missing here:         \(figures(survey.missing))
        to be removed:        \(figures(survey.surplus))
        kept besides:         \(paths.keptCount)
        nothing was changed
        """
    }

    private static func state(_ survey: BaseBackup.Survey) -> String {
        if survey.isNew { return "is new or empty: all would be copied" }
        let cluster =
            switch survey.foundSystemIdentifier {
            case survey.systemIdentifier?: "of this cluster"
            case let other?: "of another cluster, whose system identifier is \(PrintedText.line(other))"
            case nil: "that does not tell of which cluster it is"
            }
        return survey.isInterrupted
            ? "holds what an interrupted run has left, \(cluster)" : "is a data directory \(cluster)"
    }

    private static func figures(_ figures: FileFigures) -> String {
        "\(figures.files) \(figures.files == 1 ? "file" : "files"), \(Quantity.bytes(figures.bytes))"
    }

    static func object(_ survey: BaseBackup.Survey, _ paths: Paths, directory: String) -> JSONObject {
        func value(_ figures: FileFigures) -> JSONValue {
            .object([("files", .integer(Int64(figures.files))), ("bytes", .unsigned(figures.bytes))])
        }
        return JSONObject(
            kind: .result,
            members: [
                ("phase", .string(BackupProgress.Phase.done.rawValue)), ("dryRun", .bool(true)),
                ("target", .string(directory)), ("isNew", .bool(survey.isNew)),
                ("isInterrupted", .bool(survey.isInterrupted)),
                ("systemIdentifier", .string(survey.systemIdentifier)),
                ("foundSystemIdentifier", survey.foundSystemIdentifier.map { .string($0) } ?? .null),
                ("source", value(survey.source)),
                ("sameSize", value(survey.sameSize)), ("otherSize", value(survey.otherSize)),
                ("missing", value(survey.missing)), ("surplus", value(survey.surplus)),
                ("removed", .array(paths.removed.map { .string($0) })),
                ("kept", .array(paths.kept.map { .string($0) })), ("keptCount", .integer(Int64(paths.keptCount))),
                ("replaced", .array(paths.replaced.map { .string($0) })),
                ("replacedCount", .integer(Int64(paths.replacedCount))),
            ])
    }
}
