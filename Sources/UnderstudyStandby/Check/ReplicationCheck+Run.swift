public import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

extension ReplicationCheck {
    /// How long to wait before a check is repeated.
    private static let interval = Duration.seconds(1)

    /// Checks once, or, with `options.wait`, again and again until all is well or the time is over; the last report counts.
    ///
    /// That a server cannot be reached, refuses the login or is too old is a finding. Thrown are a connection string that cannot
    /// be read, that a round trip has no primary (``UnderstudyError/Code/options``), a server that wants a password which nothing
    /// provides (``UnderstudyError/Code/passwordNeeded``), threads or files that run out, and a cancelled task.
    ///
    /// - Parameter repeating: Called with each report after which the check is repeated.
    public func run(
        repeating: @escaping @Sendable (Report) -> Void = { _ in }
    ) async throws(UnderstudyError) -> Report {
        guard primary != nil || standby != nil else {
            throw UnderstudyError(.options, "there is nothing to check", hint: "Name a primary, a standby, or both.")
        }
        guard !options.roundTrip || primary != nil else {
            throw UnderstudyError(
                .options, "a round trip begins at the primary, and only a standby was given",
                hint: "Name the primary, too.")
        }
        let deadline = ContinuousClock().now + options.wait
        var measures: CheckedServer.Measures?
        while true {
            let interrupt = Interrupt(), known = measures
            let round = try await OwnThread.run("check", interrupt: interrupt, failure: { UnderstudyError($0) }) {
                () throws(UnderstudyError) in try CheckRound(check: self, interrupt: interrupt).run(measures: known)
            }
            measures = round.measures ?? measures
            guard !round.report.isWell(strict: options.isStrict), ContinuousClock().now < deadline else {
                return round.report
            }
            repeating(round.report)
            do { try await Task.sleep(for: Self.interval) } catch {
                throw UnderstudyError(.cancelled, "the check was cancelled")
            }
        }
    }
}

/// One check of both servers, on one thread.
private struct CheckRound {
    let check: ReplicationCheck
    let interrupt: Interrupt

    func run(
        measures: CheckedServer.Measures?
    ) throws(UnderstudyError) -> (report: ReplicationCheck.Report, measures: CheckedServer.Measures?) {
        var report = ReplicationCheck.Report()
        // The standby first: what the primary has is read later, so that a lag is not too small.
        let standby = try check.standby.flatMap { source throws(UnderstudyError) in
            try reach(.standby, source, nil, &report)
        }
        let refusals = report.findings
        report.findings = []
        let primary = try check.primary.flatMap { source throws(UnderstudyError) in
            try reach(.primary, source, measures, &report)
        }
        report.primary = primary?.reading.server
        report.standby = standby?.reading.server
        do throws(UnderstudyError) {
            if let primary { report.findings += primary.reading.primaryFindings(check.options) }
            report.findings += refusals
            guard judge(primary, standby, &report) else { return (report, primary?.measures) }
            if check.options.roundTrip, let primary, check.standby == nil || standby != nil {
                report.findings += try RoundTrip(
                    primary: primary, standby: standby, limit: check.options.roundTripLimit
                ).findings()
            }
        } catch {
            report.findings.append(try failure(error, of: standby == nil ? .primary : .standby))
        }
        return (report, primary?.measures)
    }

    /// - Returns: False if they do not belong together.
    private func judge(
        _ primary: CheckedServer?, _ standby: CheckedServer?, _ report: inout ReplicationCheck.Report
    ) -> Bool {
        guard let standby else { return true }
        guard let primary else {
            report.findings += standby.reading.standbyFindings(primary: nil, position: nil, check.options)
            return true
        }
        let rules = PairRules(primary: primary.reading, standby: standby.reading)
        guard !rules.isOneServer else {
            report.findings.append(rules.sameServer)
            return false
        }
        report.findings += rules.findings
        let belongs = rules.isOneCluster
        report.findings += standby.reading.standbyFindings(
            primary: belongs || rules.isSwapped ? primary.reading : nil,
            position: belongs ? primary.reading.position : nil,
            check.options
        ).filter { belongs || !$0.name.hasSuffix("_lag") }
        return belongs
    }

    /// nil if it could not be reached, which is a finding.
    private func reach(
        _ role: ReplicationCheck.Role, _ source: ConnectionString, _ measures: CheckedServer.Measures?,
        _ report: inout ReplicationCheck.Report
    ) throws(UnderstudyError) -> CheckedServer? {
        do throws(UnderstudyError) {
            let connections = try CheckConnections(
                role, source, password: check.options.password, interrupt, check.logger)
            return try CheckedServer(connections, measures: measures, logger: check.logger)
        } catch {
            report.findings.append(try failure(error, of: role))
            return nil
        }
    }

    /// A failure as a finding; throws what keeps the check from being made.
    private func failure(
        _ error: UnderstudyError, of role: ReplicationCheck.Role
    ) throws(UnderstudyError) -> ReplicationCheck.Finding {
        if [.options, .passwordNeeded, .resources, .cancelled].contains(error.code) { throw error }
        // It does not let anybody in (yet), and its words say why.
        if role == .standby, error.sqlState == "57P03" {
            return ReplicationCheck.Finding(
                role, "hot_standby", .error, found: "answers no queries", wanted: "on",
                message: error.detail.map { "\(error.message): \($0)" } ?? error.message,
                cure:
                    "Wait until it has replayed enough. If it never lets anybody in, set hot_standby = on in its configuration, and restart it."
            )
        }
        return ReplicationCheck.Finding(
            role, "connection", .error, found: error.code == .server ? "refused" : "failed",
            wanted: "a server that answers",
            message: error.message, cure: error.remedy)
    }
}
