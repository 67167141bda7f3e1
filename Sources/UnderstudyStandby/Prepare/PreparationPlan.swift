import UnderstudyCore
import UnderstudyProtocol

/// What is to be done, with all that the doing takes.
struct PreparationPlan: Sendable {
    enum Action: Sendable {
        case statement(String)
        case file(FileChange)
        case reload
        /// Done last, and elsewhere.
        case restart
    }

    struct FileChange: Sendable {
        var path: String
        var old: [UInt8]
        var new: [UInt8]
        /// Whether the server is asked what it thinks of it.
        var isRules: Bool
    }

    struct Step: Sendable {
        var action: Action
        var shown: PrimaryPreparation.Step
        /// What takes it back where the server is down; nil if nothing does.
        var undoWhenDown: String?
    }

    var steps: [Step] = []
    var notes: [String] = []
    var restartSettings: [String] = []
    var restartCommand: String?
    var needsPassword = false
    /// The method of lines that let standbys in; nil if pg_hba.conf was not looked at.
    var ruleMethod: String?
    /// nil if nothing is to be restarted.
    var restart: PrimaryRestart?
    /// Why a restart that was asked for cannot be done.
    var restartObstacle: UnderstudyError?

    var shown: PrimaryPreparation.Plan {
        PrimaryPreparation.Plan(
            steps: steps.map(\.shown), notes: notes, restartSettings: restartSettings, restartCommand: restartCommand,
            needsPassword: needsPassword)
    }
}
