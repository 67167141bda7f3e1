import CUnderstudyPQ
import Glibc
import Synchronization
package import UnderstudyPlatform
package import UnderstudyProtocol

/// A connection to a server through libpq.
///
/// Every call that waits does so in poll(2), on the socket and on the interrupt. If the interrupt is raised, the call
/// throws ``ConnectionError/Code/interrupted``. Only one thread may use a session at a time.
@safe package final class Session: @unchecked Sendable {
    // Sendable: libpq requires that only one thread at a time uses a connection. Each access verifies that the current
    // thread is `user`. Another thread becomes the user when it is started with the session, or while the user waits
    // for it.

    package enum Kind: Sendable {
        /// A physical replication connection.
        case replication
        /// An ordinary connection to a database.
        case ordinary(database: String)
    }

    private let handle: OpaquePointer
    /// The thread that may use the connection: pthread_self(3).
    private let user = Atomic<UInt>(UInt(pthread_self()))
    /// The positions last reported to the server.
    var told = ReportedPositions()
    private(set) var interrupt: Interrupt
    private(set) var ownInterrupts: [Interrupt]
    let notices: NoticeReceiver
    /// The settings in effect before any host was removed: the complete original request.
    package internal(set) var givenSettings: [ConnectionParameters.Setting] = []
    /// Set while a command must not be interrupted.
    var shield: Shield?
    var input = InputMeasure()
    /// Whether libpq holds output that the socket did not accept.
    var hasUnsent = false
    /// Whether the connection has failed while something was sent in a copy. What the server said before is in libpq's
    /// buffer, and tells more.
    var hasFailedSending = false
    var waitingStatus: WaitingStatus?
    var hasLookedTwice = false

    /// How long the server may be silent while a response is expected.
    package var silenceLimit: SilenceLimit? {
        didSet { answeringSince = nil }
    }
    /// When the wait began for the answer to a command, or for the results after a copy.
    var answeringSince: ContinuousClock.Instant?
    /// How long the server may send data without a call of ``noteProgress()``; nil for no limit.
    package var standstillLimit: Duration? {
        didSet { noteProgress() }
    }
    var progressedAt = ContinuousClock().now
    /// When the current wait without any input began.
    var silentSince: ContinuousClock.Instant?

    init(connection: OpaquePointer, interrupt: Interrupt, notices: NoticeReceiver) {
        unsafe handle = unsafe connection
        self.interrupt = interrupt
        ownInterrupts = [interrupt]
        self.notices = notices
    }

    deinit {
        unsafe PQfinish(handle)
    }

    /// libpq's connection, for the thread that may use it now. Concurrent use by two threads would be undefined
    /// behaviour.
    var connection: OpaquePointer {
        guard user.load(ordering: .acquiring) == UInt(pthread_self()) else {
            fatalError("a connection is used by a thread that has not got it")
        }
        return unsafe handle
    }

    /// Makes this thread the user of the session. The previous user must have finished with it.
    package func takeTurn() {
        user.store(UInt(pthread_self()), ordering: .releasing)
    }

    /// Has another interrupt end the waits of its user from now on.
    package func obey(_ interrupt: Interrupt) {
        self.interrupt = interrupt
        ownInterrupts = [interrupt]
    }

    /// Lends the session to this thread while its user waits.
    package func whileLent(_ body: () -> Void) {
        let owner = user.exchange(UInt(pthread_self()), ordering: .acquiringAndReleasing)
        body()
        user.store(owner, ordering: .releasing)
    }

    package var serverVersion: ServerVersion {
        unsafe ServerVersion(number: Int(PQserverVersion(connection)))
    }

    /// What the server says of its version at the login, such as `15.18 (Debian 15.18-0+deb12u1)`; empty if nothing.
    package var serverVersionText: String {
        unsafe PQparameterStatus(connection, "server_version").map { unsafe String(cString: $0) } ?? ""
    }

    /// The settings in effect, from the connection string, the environment, a service file and defaults: PQconninfo.
    package var effectiveSettings: [ConnectionParameters.Setting] {
        guard let options = unsafe PQconninfo(connection) else { return [] }
        defer { unsafe PQconninfoFree(options) }
        return unsafe ConnectionParameters.settings(of: options)
    }

    /// The application_name that the server was given; nil if none was.
    package var applicationName: String? {
        let settings = effectiveSettings
        return ["application_name", "fallback_application_name"].lazy.compactMap { keyword in
            settings.first { $0.keyword == keyword && !$0.value.isEmpty }?.value
        }.first
    }

    /// The password that was used, from any source: PQpass.
    package var password: String? {
        guard unsafe PQconnectionUsedPassword(connection) == 1, let text = unsafe PQpass(connection) else { return nil }
        return unsafe String(cString: text)
    }

    /// The host for messages: a name, an address or a socket directory.
    package var host: String {
        unsafe PQhost(connection).map { unsafe String(cString: $0) } ?? ""
    }

    package var port: String {
        unsafe PQport(connection).map { unsafe String(cString: $0) } ?? ""
    }

    /// The remote address; nil for a Unix socket: PQhostaddr.
    var address: String? {
        let text = unsafe PQhostaddr(connection).map { unsafe String(cString: $0) } ?? ""
        return text.isEmpty ? nil : text
    }

    // MARK: - Commands

    /// Runs a command and returns all its result sets.
    package func run(_ command: String) throws(ConnectionError) -> [ResultSet] {
        try collect(command, longestField: RowBytes.longestText, ResultSet.init)
    }

    /// Runs a short command to its end, even if the interrupt is raised; gives up after a time limit: see ``Shield``.
    ///
    /// - Parameter end: The latest time by which the command must be over.
    package func runShielded(
        _ command: String, until end: ContinuousClock.Instant? = nil
    ) throws(ConnectionError) -> [ResultSet] {
        shield = Shield(until: end)
        defer { shield = nil }
        return try run(command)
    }

    /// Runs a command and returns the raw fields of its only row.
    package func runForBytes(_ command: String) throws(ConnectionError) -> [[UInt8]?] {
        let sets = try collect(command, longestField: nil) { $0.rows }
        guard let set = sets.first, sets.count == 1, let row = set.first, set.count == 1 else {
            throw ConnectionError(.protocolViolation, "unexpected answer to \(command)")
        }
        return row
    }

    private func collect<Rows: Equatable & Sendable>(
        _ command: String, longestField: Int?, _ read: (RowBytes) -> Rows
    ) throws(ConnectionError) -> [Rows] {
        try send(command)
        var sets: [Rows] = []
        var failure: ConnectionError?
        while true {
            do throws(ConnectionError) {
                switch try nextResult(longestField: longestField, read) {
                case .rows(let set):
                    guard sets.count < RowBytes.mostSets else {
                        throw ConnectionError(
                            .protocolViolation,
                            "server answered \(command) with more than \(RowBytes.mostSets) result sets")
                    }
                    sets.append(set)
                case .command: break
                case .copyOut, .copyBoth, .copyIn:
                    throw ConnectionError(.protocolViolation, "the server began a copy in answer to \(command)")
                case .none:
                    if let failure { throw failure }
                    return sets
                }
            } catch  where error.code == .server && failure == nil {
                // The connection is ready for the next command only after all results were read.
                failure = error
            }
        }
    }

    /// Runs a command that answers with exactly one result set.
    package func runForRows(_ command: String) throws(ConnectionError) -> ResultSet {
        let sets = try run(command)
        guard let set = sets.first, sets.count == 1 else {
            throw ConnectionError(.protocolViolation, "unexpected answer to \(command): \(sets.count) result sets")
        }
        return set
    }

    /// Sends a command. Read its results with ``nextResult()``.
    package func send(_ command: String) throws(ConnectionError) {
        answeringSince = nil
        guard unsafe PQsendQuery(connection, command) == 1 else { throw lost("could not send a command") }
        // Single-row mode: rows are counted before they can fill the memory, however many a server sends.
        unsafe PQsetSingleRowMode(connection)
        try flush()
    }

    package enum Reply<Rows: Equatable & Sendable>: Sendable, Equatable {
        case rows(Rows)
        /// A command that returned no rows.
        case command
        case copyOut, copyBoth
        /// The server ended its side of a copy in both directions; ours is still open.
        case copyIn
        /// The command is over.
        case none

        package var isCopy: Bool { [.copyOut, .copyBoth, .copyIn].contains(self) }
    }

    /// The next result of the last command sent.
    package func nextResult() throws(ConnectionError) -> Reply<ResultSet> {
        try nextResult(longestField: RowBytes.longestText, ResultSet.init)
    }

    private func nextResult<Rows>(
        longestField: Int?, _ read: (RowBytes) -> Rows
    ) throws(ConnectionError) -> Reply<Rows> {
        endSilence()
        waitingStatus = nil
        var rows: RowBytes?
        while true {
            try checkInterrupt()
            try checkAnswer()
            while unsafe PQisBusy(connection) == 1 {
                _ = try waitForInput(wakeUps: [])
                try checkAnswer()
            }
            guard let result = unsafe PQgetResult(connection) else {
                if unsafe PQstatus(connection) == CONNECTION_BAD { throw lost("connection to server was lost") }
                return .none
            }
            defer { unsafe PQclear(result) }
            input.completed(unsafe PQresultMemorySize(result))
            switch unsafe PQresultStatus(result) {
            case PGRES_SINGLE_TUPLE, PGRES_TUPLES_OK:
                if rows == nil { rows = try unsafe RowBytes(columnsOf: result) }
                try unsafe rows?.add(result, longestField: longestField)
                if unsafe PQresultStatus(result) == PGRES_TUPLES_OK, let rows { return .rows(read(rows)) }
            case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: return .command
            case PGRES_COPY_OUT:
                answeringSince = nil
                return .copyOut
            case PGRES_COPY_BOTH:
                answeringSince = nil
                return .copyBoth
            case PGRES_COPY_IN: return .copyIn
            case PGRES_FATAL_ERROR: throw unsafe failure(result)
            default: throw ConnectionError(.protocolViolation, "the server sent a result of an unexpected kind")
            }
        }
    }

    package var isInterrupted: Bool { interrupt.isRaised }
    /// The interrupt that ends all waits, for code that waits for something else meanwhile.
    package var interruptOfSession: Interrupt { interrupt }

    // MARK: - Errors

    /// An error with libpq's last message about the connection.
    func lost(_ what: String) -> ConnectionError {
        let text = unsafe ServerMessage.text(PQerrorMessage(connection)).trimmedLines
        return ConnectionError(.lost, text.isEmpty ? what : "\(what): \(text)")
    }

    private func failure(_ result: OpaquePointer) -> ConnectionError {
        guard let message = unsafe ServerMessage(result) else {
            // libpq makes its own result if the connection ends during a command.
            let text = unsafe ServerMessage.text(PQresultErrorMessage(result)).trimmedLines
            return ConnectionError(.lost, "connection to server was lost: \(text)")
        }
        // After these errors (57P01 to 57P03) the server closes the connection, but libpq may not have noticed yet.
        let isLast = message.sqlState?.hasPrefix("57P0") ?? false
        let isGone = unsafe isLast || PQstatus(connection) == CONNECTION_BAD
        var error = ConnectionError(isGone ? .lost : .server, message.message, server: message)
        error.serverVersion = serverVersion
        return error
    }
}

extension Session {
    /// The process ID of the server process: PQbackendPID.
    package var backendProcessID: Int {
        Int(unsafe PQbackendPID(connection))
    }

    /// Waits for the given time, or until the interrupt is raised or the server sends something.
    package func pause(_ time: Duration) {
        _ = Interrupt.wait(
            socket: unsafe PQsocket(connection), events: .input, interrupts: [interrupt], timeout: time)
    }

    /// Waits until the server sends something unasked or closes the connection.
    ///
    /// - Returns: Whether it did; false after the time, or if the interrupt or `wakeUp` is raised.
    package func hasNews(within time: Duration, or wakeUp: Interrupt) -> Bool {
        Interrupt.wait(
            socket: unsafe PQsocket(connection), events: .input, interrupts: [interrupt, wakeUp], timeout: time)
            == .ready
    }
}
