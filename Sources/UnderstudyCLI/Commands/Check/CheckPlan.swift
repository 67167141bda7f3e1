import Understudy

/// What a `check` command line asks for.
struct CheckPlan: Sendable, Equatable {
    var primary: ConnectionRequest?
    var standby: ConnectionRequest?
    var roundTrip = false
    var wait = Duration.zero
    var isStrict = false
    var writesJSON = false
    var verbose = false

    /// How to ask for a password, which is the same for both servers: a standby has the primary's roles.
    var connection: ConnectionRequest {
        primary ?? standby ?? CheckPlan.request("", .onDemand)
    }

    static func read(_ words: [String]) throws(UsageError) -> Request<CheckPlan> {
        try .read(words, of: .check, as: .understudy) { parsed, operands throws(UsageError) in
            if let operand = operands.first {
                throw UsageError.operand(operand, parsed, of: .check, as: .understudy)
            }
            let policy = parsed.passwordPolicy
            let plan = CheckPlan(
                primary: parsed[CheckOptions.primary].map { request($0, policy) },
                standby: parsed[CheckOptions.standby].map { request($0, policy) },
                roundTrip: parsed.has(CheckOptions.roundtrip),
                wait: try parsed[CheckOptions.wait].map { text throws(UsageError) in
                    try NumberArgument.duration(text, option: "--wait")
                } ?? .zero,
                isStrict: parsed.has(CheckOptions.strict), writesJSON: parsed.has(ArchiveOptions.json),
                verbose: parsed.has(CommonOptions.verbose))
            guard plan.primary != nil || plan.standby != nil else {
                throw UsageError(
                    "no server specified",
                    hint: "Use --primary \"host=HOST user=ROLE\", --standby \"host=HOST user=ROLE\", or both.")
            }
            if plan.roundTrip, plan.primary == nil {
                throw UsageError(
                    "--roundtrip needs the primary", hint: "A marker begins there: use --primary, too.")
            }
            return plan
        }
    }

    private static func request(_ source: String, _ policy: PasswordPolicy) -> ConnectionRequest {
        ConnectionRequest(
            source: source, host: nil, port: nil, user: nil, password: policy, program: Personality.understudy.program)
    }
}
