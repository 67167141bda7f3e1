import CUnderstudyPQ
import Glibc
import Synchronization
package import UnderstudyPlatform
package import UnderstudyProtocol

/// A connection to a server through libpq.
///
/// Every call that waits does so in poll(2), on the socket and on the interrupt: an interrupt that is raised
/// ends it with ``ConnectionError/Code/interrupted``. Used by one thread at a time.
@safe package final class Session: @unchecked Sendable {
    // Sendable: libpq wants a connection used by one thread at a time. Each access to it makes sure that the thread is
    // `user`; another thread takes the turn when it is started with the session, or while the user waits for it.

    package enum Kind: Sendable {
        /// A physical replication connection.
        case replication
        /// An ordinary connection to a database.
        case ordinary(database: String)
    }

    private let handle: OpaquePointer
    /// The thread that may use the connection: pthread_self(3).
    private let user = Atomic<UInt>(UInt(pthread_self()))
    /// What the server was told last.
    var told = ToldPositions()
    let interrupt: Interrupt
    let ownInterrupts: [Interrupt]
    let notices: NoticeBox
    /// The settings in effect before any host was left out: what was asked for as a whole.
    package internal(set) var givenSettings: [ConnectionParameters.Setting] = []
    /// While a command is not to be interrupted.
    var shield: Shield?
    var input = InputMeasure()
    /// Whether libpq holds what the socket did not take.
    var hasUnsent = false
    var waitingStatus: WaitingStatus?
    var hasLookedTwice = false

    /// How long the server may be silent while something is expected of it.
    package var patience: Patience? {
        didSet { answeringSince = nil }
    }
    /// Since when the answer to a command, or what follows a copy, is under way.
    var answeringSince: ContinuousClock.Instant?
    /// How long the server may send whatever it likes but nothing that ``noteProgress()`` is called for; nil for ever.
    package var standstillLimit: Duration? {
        didSet { noteProgress() }
    }
    var progressedAt = ContinuousClock().now
    /// Since when nothing has come though it was waited for.
    var silentSince: ContinuousClock.Instant?

    init(connection: OpaquePointer, interrupt: Interrupt, notices: NoticeBox) {
        unsafe handle = unsafe connection
        self.interrupt = interrupt
        ownInterrupts = [interrupt]
        self.notices = notices
    }

    deinit {
        unsafe PQfinish(handle)
    }

    /// libpq's connection, for the thread whose turn it is: what two threads did to it at once would be undefined.
    var connection: OpaquePointer {
        guard user.load(ordering: .acquiring) == UInt(pthread_self()) else {
            fatalError("a connection is used by a thread that has not got it")
        }
        return unsafe handle
    }

    /// The session is this thread's from here on: whoever had it must be done with it.
    package func takeTurn() {
        user.store(UInt(pthread_self()), ordering: .releasing)
    }

    /// Lends the session to this thread, while the one whose it is waits for the return.
    package func whileLent(_ body: () -> Void) {
        let owner = user.exchange(UInt(pthread_self()), ordering: .acquiringAndReleasing)
        body()
        user.store(owner, ordering: .releasing)
    }

    package var serverVersion: ServerVersion {
        unsafe ServerVersion(number: Int(PQserverVersion(connection)))
    }

    /// The settings in effect, from the connection string, the environment, a service file and defaults: PQconninfo.
    package var effectiveSettings: [ConnectionParameters.Setting] {
        guard let options = unsafe PQconninfo(connection) else { return [] }
        defer { unsafe PQconninfoFree(options) }
        return unsafe ConnectionParameters.settings(of: options)
    }

    /// The password that was used, from wherever it came: PQpass.
    package var password: String? {
        guard unsafe PQconnectionUsedPassword(connection) == 1, let text = unsafe PQpass(connection) else { return nil }
        return unsafe String(cString: text)
    }

    /// The host as a message shows it: a name, an address or a socket directory.
    package var host: String {
        unsafe PQhost(connection).map { unsafe String(cString: $0) } ?? ""
    }

    package var port: String {
        unsafe PQport(connection).map { unsafe String(cString: $0) } ?? ""
    }

    /// The address that was connected to, or nil with a Unix socket: PQhostaddr.
    var address: String? {
        let text = unsafe PQhostaddr(connection).map { unsafe String(cString: $0) } ?? ""
        return text.isEmpty ? nil : text
    }

    // MARK: - Commands

    /// Runs a command and returns all its result sets.
    package func run(_ command: String) throws(ConnectionError) -> [ResultSet] {
        try collect(command, longestField: RowBytes.longestText, ResultSet.init)
    }

    /// Runs a short command to its end though the interrupt is raised; gives up when that takes long: see ``Shield``.
    ///
    /// - Parameter end: By when it has to be over in any case.
    package func runShielded(
        _ command: String, until end: ContinuousClock.Instant? = nil
    ) throws(ConnectionError) -> [ResultSet] {
        shield = Shield(until: end)
        defer { shield = nil }
        return try run(command)
    }

    /// Runs a command and returns the fields of its only row, byte for byte.
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
                // The connection is ready for the next command only when all results are taken.
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

    /// Sends a command; its results are taken with ``nextResult()``.
    package func send(_ command: String) throws(ConnectionError) {
        answeringSince = nil
        guard unsafe PQsendQuery(connection, command) == 1 else { throw lost("could not send a command") }
        // Rows one by one: however many a server sends, they are counted before they fill the memory.
        unsafe PQsetSingleRowMode(connection)
        try flush()
    }

    package enum Reply<Rows: Equatable & Sendable>: Sendable, Equatable {
        case rows(Rows)
        /// A command that returned no rows.
        case command
        case copyOut, copyBoth
        /// The server has ended its side of a copy in both directions; ours is still open.
        case copyIn
        /// The command is over.
        case none

        package var isCopy: Bool { [.copyOut, .copyBoth, .copyIn].contains(self) }
    }

    /// The next result of the command sent last.
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
    /// The interrupt that ends all waiting, for those who wait for something else meanwhile.
    package var interruptOfSession: Interrupt { interrupt }

    // MARK: - Errors

    /// An error that says what libpq last said of the connection.
    func lost(_ what: String) -> ConnectionError {
        let text = unsafe ServerMessage.text(PQerrorMessage(connection)).trimmedLines
        return ConnectionError(.lost, text.isEmpty ? what : "\(what): \(text)")
    }

    private func failure(_ result: OpaquePointer) -> ConnectionError {
        guard let message = unsafe ServerMessage(result) else {
            // libpq makes a result of its own when the connection ends in mid-command.
            let text = unsafe ServerMessage.text(PQresultErrorMessage(result)).trimmedLines
            return ConnectionError(.lost, "connection to server was lost: \(text)")
        }
        // The server ends the connection behind these (57P01 to 57P03), but libpq may not have seen the end yet.
        let isLast = message.sqlState?.hasPrefix("57P0") ?? false
        let isGone = unsafe isLast || PQstatus(connection) == CONNECTION_BAD
        return ConnectionError(isGone ? .lost : .server, message.message, server: message)
    }
}

extension Session {
    /// The number of the server process: PQbackendPID.
    package var backendProcessID: Int {
        Int(unsafe PQbackendPID(connection))
    }

    /// Lets time pass, unless the interrupt is raised or the server says something.
    package func pause(_ time: Duration) {
        _ = Interrupt.wait(
            socket: unsafe PQsocket(connection), events: .input, interrupts: [interrupt], timeout: time)
    }
}
