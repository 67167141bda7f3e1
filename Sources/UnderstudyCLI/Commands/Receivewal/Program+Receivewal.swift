import Glibc
import Understudy
import UnderstudyPlatform

extension Program {
    func receivewal(_ words: [String], as personality: Personality) async -> Int32 {
        let request = { () throws(UsageError) in try ReceivewalPlan.read(words, as: personality) }
        return await run(.receivewal, words, as: personality, request) { await receivewal($0, as: personality) }
    }

    private func receivewal(_ plan: ReceivewalPlan, as personality: Personality) async -> Int32 {
        let console = console(
            personality, verbose: plan.verbose, lines: lines(of: plan, personality),
            writesObjects: plan.progress == .json)
        let status = Monitor<@Sendable () -> WALArchiver.Status?> { nil }
        let failed = { @Sendable (error: UnderstudyError) in
            console.object(ReceiveProgressJSON.failed(error, status.read { $0() }))
        }
        if case .receive(let directory) = plan.action {
            do throws(UsageError) {
                try checkDirectory(directory.path)
                if let file = plan.watch.metricsFile { try ReceiverWatch.checkFile(file, outside: directory.path) }
            } catch {
                let status = fail(error, console: console)
                failed(UnderstudyError(.target, error.message, hint: error.hint))
                return status
            }
        }
        do throws(UnderstudyError) {
            let reason = try await work(
                plan.connection, console: console, ending: .finishing, remains: .of(plan.action), abandoned: failed
            ) { source throws(UnderstudyError) in
                try await perform(plan, source: source, console: console, status, as: personality)
            }
            console.object(ReceiveProgressJSON.done(reason, status.read { $0() }))
            return ExitStatus.success
        } catch {
            let error = personality == .understudy ? error : StockWords.ofReceiver(error)
            console.error(error)
            failed(error)
            return ExitStatus.of(error.code)
        }
    }

    /// Looked at before anything is asked of the server or of the user.
    private func checkDirectory(_ path: String) throws(UsageError) {
        do throws(FileIOError) {
            _ = try ConfinedDirectory(path: path)
        } catch {
            let hint: String? =
                switch error.number {
                case ENOENT where !path.isEmpty: "Make the directory first: mkdir -m 700 \"\(path)\""
                case ENOENT, ENOTDIR: "Name a directory that exists."
                case EACCES: "The user that runs this needs to read and write there."
                default: nil
                }
            throw UsageError(error.description, hint: hint)
        }
    }

    /// - Parameter status: Gets what tells how far an archiver is.
    /// - Returns: Why it ended.
    private func perform(
        _ plan: ReceivewalPlan, source: ConnectionString, console: Console,
        _ status: Monitor<@Sendable () -> WALArchiver.Status?>, as personality: Personality
    ) async throws(UnderstudyError) -> ReceiveProgressJSON.Reason {
        let client = ReplicationClient(source: source, logger: console.logger)
        switch plan.action {
        case .createSlot(let name, let ifNotExists):
            try await client.createSlot(name, reserveWAL: false, ifNotExists: ifNotExists)
            return .slotCreated
        case .dropSlot(let name):
            try await client.dropSlot(name)
            return .slotDropped
        case .receive(let directory):
            let archiver = WALArchiver(
                source: source, slot: plan.slot,
                destination: .directory(
                    directory.path, compression: directory.compression, sync: directory.sync),
                options: plan.options, logger: console.logger)
            status.update { $0 = { archiver.status } }
            let reporter = ReceiveProgressReporter(
                style: style(of: plan), console: console, columns: { StandardStreams.columns })
            let service = ReceiverService(
                archiver: archiver,
                hook: plan.service.hook.map { SegmentHook($0, of: directory, console: console) },
                // The manager of a stock tool's caller has not asked it.
                notifier: personality == .understudy ? ServiceNotifier(environment, console: console) : nil)
            let watch = ReceiverWatch(plan.watch, archiver, logger: console.logger)
            try await watch.show { () throws(UnderstudyError) in try await service.run(reporter, on: executor) }
            return Task.isCancelled ? .signal : .endPosition
        }
    }

    /// A receiver is a service: its messages have the time where nothing else adds it. The others are read by those who call them.
    private func lines(of plan: ReceivewalPlan, _ personality: Personality) -> LogLines {
        guard personality == .understudy, case .receive = plan.action else { return LogLines(plan.service.logFormat) }
        return LogLines(plan.service.logFormat, isTerminal: errorsAreTerminal, isJournal: errorsAreJournal)
    }

    private func style(of plan: ReceivewalPlan) -> ReceiveProgressWriter.Style {
        switch plan.progress {
        case .auto: canRewriteLines ? .terminal : .plain(every: .seconds(10))
        case .none: .none
        case .plain: .plain(every: .seconds(1))
        case .json: .json(hasSlot: plan.slot != .none)
        }
    }
}
