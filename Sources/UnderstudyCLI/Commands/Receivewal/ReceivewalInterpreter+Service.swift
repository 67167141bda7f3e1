import Understudy

extension ReceivewalInterpreter {
    /// What a receiver does as a service.
    func service() throws(UsageError) -> ReceivewalPlan.Service {
        var service = ReceivewalPlan.Service()
        if let text = parsed[ReceivewalOptions.logFormat] {
            guard let format = LogLines.Format(rawValue: text) else {
                throw UsageError(
                    "invalid value \"\(text)\" for option --log-format", hint: "Use one of text and json.")
            }
            service.logFormat = format
        }
        service.hook = try parsed[ReceivewalOptions.onSegment].map(HookCommand.parse)
        return service
    }

    /// Refuses options of a service that mean nothing beside others.
    func checkService(_ progress: ProgressChoice) throws(UsageError) {
        for other in [ReceivewalOptions.createSlot, ReceivewalOptions.dropSlot] where parsed.has(other) {
            for option in [ReceivewalOptions.onSegment, ReceivewalOptions.retryFirst] where parsed.has(option) {
                throw misuse("cannot use --\(option.name) together with --\(other.name)")
            }
        }
        if parsed.has(ReceivewalOptions.retryFirst), parsed.has(ReceivewalOptions.noLoop) {
            throw misuse("cannot use --retry-first together with --no-loop")
        }
        if parsed[ReceivewalOptions.logFormat] == LogLines.Format.json.rawValue, ![.none, .json].contains(progress) {
            throw UsageError(
                "cannot use lines of progress together with --log-format=json",
                hint: "Write --progress=json, whose objects go to standard output.")
        }
    }
}
