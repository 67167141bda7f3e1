import Understudy

/// Interprets the options, and refuses invalid combinations with the stock tool's messages, in the stock tool's order.
struct ReceivewalInterpreter {
    var parsed: ReceivewalArguments
    var personality: Personality

    func plan(operands: [String]) throws(UsageError) -> ReceivewalPlan {
        let options = try options()
        if let operand = operands.first {
            throw misuse("too many command-line arguments (first is \"\(operand)\")")
        }
        return ReceivewalPlan(
            action: try action(),
            slot: parsed.slot.map { .permanent($0, createIfMissing: false) } ?? .none,
            options: options,
            connection: ConnectionRequest(
                source: parsed.dbname, host: parsed.host, port: parsed.port, user: parsed.username,
                password: parsed.password, program: personality.program),
            progress: parsed.progress, verbose: parsed.verbose)
    }

    private func misuse(_ message: String) -> UsageError {
        UsageError(message, hint: UsageError.tryHelp(personality.receiveWALCommand))
    }

    private func options() throws(UsageError) -> WALArchiver.Options {
        var options = WALArchiver.Options()
        options.startLSN = try parsed.startLSN.map { text throws(UsageError) in try position(text, of: "start") }
        options.endLSN = try parsed.endpos.map { text throws(UsageError) in try position(text, of: "end") }
        options.synchronous = parsed.synchronous
        options.recreatesSlot = parsed.recreateSlot
        if let text = parsed.statusInterval {
            let seconds = try NumberArgument.integer(text, option: "-s/--status-interval", in: 0...2_147_483)
            options.statusInterval = seconds == 0 ? nil : .seconds(seconds)
        }
        options.maxRate = try parsed.maxRate.map(TransferRate.parse)
        if let text = parsed.maxLag { options.maxLag = try LagArgument.parse(text) }
        if let text = parsed.stallTimeout { options.stallTimeout = try StallArgument.parse(text) }
        options.reconnects = !parsed.noLoop
        // An error of the first connection is reported to the user, as with the stock tool.
        options.retriesFirstConnection = false
        return options
    }

    private func position(_ text: String, of end: String) throws(UsageError) -> LSN {
        guard let position = LSN(text) else {
            throw UsageError(
                "could not parse \(end) position \"\(text)\"",
                hint: "Write a position as pg_current_wal_lsn() shows it, such as 16/B374D848.")
        }
        return position
    }

    private func action() throws(UsageError) -> ReceivewalPlan.Action {
        if parsed.createSlot, parsed.dropSlot { throw misuse("cannot use --create-slot together with --drop-slot") }
        if parsed.slot == nil {
            if parsed.dropSlot { throw misuse("--drop-slot needs a slot to be specified using --slot") }
            if parsed.createSlot { throw misuse("--create-slot needs a slot to be specified using --slot") }
            if parsed.recreateSlot { throw misuse("--recreate-slot needs a slot to be specified using --slot") }
            if parsed.maxLag != nil { throw misuse("--max-lag needs a slot to be specified using --slot") }
        }
        if parsed.synchronous, parsed.noSync { throw misuse("cannot use --synchronous together with --no-sync") }
        if parsed.recreateSlot, parsed.createSlot || parsed.dropSlot {
            throw misuse("cannot use --recreate-slot together with --\(parsed.createSlot ? "create" : "drop")-slot")
        }
        let acts = parsed.createSlot || parsed.dropSlot
        if parsed.directory == nil, !acts { throw misuse("no target directory specified") }
        let compression = try CompressionArgument.parse(parsed.compress ?? "none")
        if let slot = parsed.slot, acts {
            return parsed.dropSlot ? .dropSlot(slot) : .createSlot(slot, ifNotExists: parsed.ifNotExists)
        }
        return .receive(
            into: .init(path: parsed.directory ?? "", compression: compression, sync: !parsed.noSync))
    }
}
