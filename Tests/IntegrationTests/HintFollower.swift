import Foundation
import UnderstudyTestSupport

/// Does what the program's hints say, to the letter, as somebody does who pastes them.
struct HintFollower {
    let primary: Cluster
    /// Where pg_hba.conf is.
    var hostRules: String
    var restart: () throws -> Void
    /// What was done, for a failure.
    private(set) var done: [String] = []

    init(_ primary: Cluster, hostRules: String? = nil, restart: (() throws -> Void)? = nil) {
        self.primary = primary
        self.hostRules = hostRules ?? "\(primary.directory)/pg_hba.conf"
        self.restart = restart ?? { try primary.restart() }
    }

    /// Follows the hints of a run that failed.
    ///
    /// - Returns: The options that the hints name, as words of a command line.
    mutating func follow(_ result: ProgramResult) throws -> [String] {
        var options: [String] = []
        for line in result.errorOutput.components(separatedBy: "\n") {
            guard let hint = line.range(of: "hint: ").map({ String(line[$0.upperBound...]) }) else { continue }
            done.append(hint)
            if let rule = hint.firstMatch(of: /Put the line "(.+)" at the top of pg_hba.conf/)?.output.1 {
                let old = try String(contentsOfFile: hostRules, encoding: .utf8)
                try TestDirectory.write("\(rule)\n\(old)", to: hostRules, mode: 0o640)
            }
            for statement in hint.matches(of: /(?:ALTER|CREATE|GRANT|SELECT) [^;]*;/) {
                // One of two: to make a role that is there fails.
                let isThere = statement.output.hasPrefix("CREATE ROLE ") && hint.contains("ALTER ROLE ")
                do { try primary.sql(String(statement.output)) } catch  where isThere {}
            }
            if hint.contains("then restart it") { try restart() }
            for option in hint.matches(of: /'?--[a-z-]+(?:[= ][^ ,.;:']+)?'?/) {
                options.append(String(option.output).replacing("'", with: ""))
            }
        }
        return options
    }

    /// Runs a command until it succeeds, and follows its hints in between.
    ///
    /// - Parameter choose: The options to go on with, of those that the hints name.
    mutating func lead(
        _ run: ([String]) throws -> ProgramResult, choose: ([String]) -> [String] = { _ in [] }
    ) throws -> ProgramResult {
        var more: [String] = [], last = ""
        for _ in 1...10 {
            let result = try run(more)
            if result.status == 0 { return result }
            guard result.errorOutput != last else { break }
            last = result.errorOutput
            more += choose(try follow(result))
        }
        throw SupportError("no hint leads on from:\n\(last)\nafter:\n\(done.joined(separator: "\n"))")
    }
}
