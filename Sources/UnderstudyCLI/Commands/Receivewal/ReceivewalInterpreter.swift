import Understudy

/// Gives the options their meaning, and refuses those that do not fit together with the stock tool's words, in the
/// stock tool's order.
struct ReceivewalInterpreter {
    var parsed: OptionValues
    var personality: Personality

    func plan(operands: [String]) throws(UsageError) -> ReceivewalPlan {
        let options = try options()
        if let operand = operands.first {
            throw UsageError.operand(operand, parsed, of: .receivewal, as: personality)
        }
        let action = try action(), progress = try progress()
        try checkService(progress)
        return ReceivewalPlan(
            action: action,
            slot: parsed[ReceivewalOptions.slot].map { .existing($0) } ?? .none,
            options: options,
            connection: parsed.connection(program: personality.program),
            progress: progress, verbose: parsed.has(CommonOptions.verbose), service: try service(), watch: try watch())
    }

    private func watch() throws(UsageError) -> ReceivewalPlan.Watch {
        var watch = ReceivewalPlan.Watch()
        for option in [ReceivewalOptions.listen, ReceivewalOptions.metricsFile] where parsed.has(option) {
            guard !parsed.has(ReceivewalOptions.createSlot), !parsed.has(ReceivewalOptions.dropSlot) else {
                throw misuse(
                    "cannot use --\(option.name) together with --\(parsed.has(ReceivewalOptions.createSlot) ? "create" : "drop")-slot"
                )
            }
        }
        if let text = parsed[ReceivewalOptions.listen] {
            try ReceiverWatch.checkAvailable()
            guard let address = ListenAddress(text) else {
                throw UsageError(
                    "invalid address \"\(text)\" for --listen",
                    hint: "Write ADDRESS:PORT, such as 127.0.0.1:9187 or [::1]:9187, or a port from 0 to 65535 alone.")
            }
            watch.listen = address
        }
        if let path = parsed[ReceivewalOptions.metricsFile] {
            guard !path.isEmpty, !path.hasSuffix("/") else {
                throw UsageError(
                    "invalid file name \"\(path)\" for --metrics-file",
                    hint: "Name a file in a directory that exists; node_exporter reads names that end in .prom.")
            }
            watch.metricsFile = path
        }
        return watch
    }

    func misuse(_ message: String) -> UsageError {
        UsageError(message, hint: UsageError.tryHelp(personality.line(of: .receivewal)))
    }

    private func options() throws(UsageError) -> WALArchiver.Options {
        var options = WALArchiver.Options()
        options.startLSN = try parsed[ReceivewalOptions.startLSN].map { text throws(UsageError) in
            try position(text, of: "start")
        }
        options.endLSN = try parsed[ReceivewalOptions.endpos].map { text throws(UsageError) in
            try position(text, of: "end")
        }
        options.synchronous = parsed.has(ReceivewalOptions.synchronous)
        options.recreatesSlot = parsed.has(ReceivewalOptions.recreateSlot)
        if let text = parsed[ReceivewalOptions.statusInterval] {
            let seconds = try NumberArgument.integer(text, option: "-s/--status-interval", in: 0...2_147_483)
            options.statusInterval = seconds == 0 ? nil : .seconds(seconds)
        }
        options.maxRate = try parsed[ReceivewalOptions.maxRate].map(RateArgument.parse)
        if let text = parsed[ReceivewalOptions.maxLag] { options.maxLag = try LagArgument.parse(text) }
        // The stock tool has replication connections alone. Callers name a database that is none.
        options.opensOrdinaryConnections = personality == .understudy || options.maxLag != nil
        if let text = parsed[ReceivewalOptions.stallTimeout] { options.stallTimeout = try StallArgument.parse(text) }
        options.reconnects = !parsed.has(ReceivewalOptions.noLoop)
        // What is wrong from the beginning is for the user to see, as with the stock tool, unless a service is to wait.
        options.retriesFirstConnection = parsed.has(ReceivewalOptions.retryFirst)
        return options
    }

    private func progress() throws(UsageError) -> ProgressChoice {
        guard parsed.has(ReceivewalOptions.progress) else { return .none }
        return try parsed[ReceivewalOptions.progress].map(ProgressChoice.parse) ?? .auto
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
        if parsed.has(ReceivewalOptions.createSlot), parsed.has(ReceivewalOptions.dropSlot) {
            throw misuse("cannot use --create-slot together with --drop-slot")
        }
        if parsed[ReceivewalOptions.slot] == nil {
            if parsed.has(ReceivewalOptions.dropSlot) {
                throw misuse("--drop-slot needs a slot to be specified using --slot")
            }
            if parsed.has(ReceivewalOptions.createSlot) {
                throw misuse("--create-slot needs a slot to be specified using --slot")
            }
            if parsed.has(ReceivewalOptions.recreateSlot) {
                throw misuse("--recreate-slot needs a slot to be specified using --slot")
            }
            if parsed[ReceivewalOptions.maxLag] != nil {
                throw misuse("--max-lag needs a slot to be specified using --slot")
            }
        }
        if parsed.has(ReceivewalOptions.synchronous), parsed.has(ReceivewalOptions.noSync) {
            throw misuse("cannot use --synchronous together with --no-sync")
        }
        if parsed.has(ReceivewalOptions.recreateSlot),
            parsed.has(ReceivewalOptions.createSlot) || parsed.has(ReceivewalOptions.dropSlot)
        {
            throw misuse(
                "cannot use --recreate-slot together with --\(parsed.has(ReceivewalOptions.createSlot) ? "create" : "drop")-slot"
            )
        }
        let acts = parsed.has(ReceivewalOptions.createSlot) || parsed.has(ReceivewalOptions.dropSlot)
        if parsed[ReceivewalOptions.directory] == nil, !acts { throw misuse("no target directory specified") }
        let compression = try CompressionArgument.parse(parsed[ReceivewalOptions.compress] ?? "none")
        if let slot = parsed[ReceivewalOptions.slot], acts {
            return parsed.has(ReceivewalOptions.dropSlot)
                ? .dropSlot(slot) : .createSlot(slot, ifNotExists: parsed.has(ReceivewalOptions.ifNotExists))
        }
        return .receive(
            into: .init(
                path: parsed[ReceivewalOptions.directory] ?? "", compression: compression,
                sync: !parsed.has(ReceivewalOptions.noSync)))
    }
}
