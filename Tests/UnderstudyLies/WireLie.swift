import UnderstudyTestSupport

/// What becomes of the bytes of one answer on their way.
struct WireLie: Sendable {
    /// The command's beginning; `login` for the answer to a login.
    var command: String
    /// Which of such answers is meant: 0 for the first.
    var occurrence = 0
    var change: @Sendable (inout ScriptedServer.Answer) -> Void
}
