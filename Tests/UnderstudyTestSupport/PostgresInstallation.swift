import Foundation

/// A PostgreSQL found on this machine, server and client programs.
package struct PostgresInstallation: Sendable, CustomStringConvertible, Hashable {
    /// The directory of the programs: /usr/lib/postgresql/15/bin.
    package let programs: String
    /// As the server tells it: "16.2".
    package let version: String
    /// 15, 16, …; for 9.6 it is 9.
    package let major: Int

    package var description: String { "PostgreSQL \(version)" }

    package func program(_ name: String) -> String { "\(programs)/\(name)" }

    /// Every installation found, oldest first: Debian's, and those that scripts/setup puts into UNDERSTUDY_SERVERS.
    package static let all: [PostgresInstallation] = {
        let servers = ProcessInfo.processInfo.environment["UNDERSTUDY_SERVERS"] ?? "/opt/understudy-servers"
        let found = ["/usr/lib/postgresql", servers].flatMap { parent in
            ((try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []).compactMap {
                PostgresInstallation(programs: "\(parent)/\($0)/bin")
            }
        }
        return found.sorted { $0.version.compare($1.version, options: .numeric) == .orderedAscending }
    }()

    /// The oldest and the newest: enough where what differs between versions is not the point. All of them with
    /// UNDERSTUDY_TEST_THOROUGH=1.
    package static var outermost: [PostgresInstallation] {
        all.count > 2 && !isThorough ? [all[0], all[all.count - 1]] : all
    }

    package static let isThorough = ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_THOROUGH"] != nil

    /// The newest one, for tests that do not depend on the server's version.
    package static var newest: PostgresInstallation {
        get throws {
            guard let newest = all.last else { throw SupportError("no PostgreSQL found: run scripts/setup") }
            return newest
        }
    }

    private init?(programs: String) {
        guard
            ["postgres", "initdb", "pg_ctl"].allSatisfy({
                FileManager.default.isExecutableFile(atPath: "\(programs)/\($0)")
            }),
            let answer = try? Program.check("\(programs)/postgres", ["--version"]),
            // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
            let version = answer.line.split(separator: " ").dropFirst(2).first,
            let major = Int(version.prefix { $0.isNumber })
        else { return nil }
        self.programs = programs
        self.version = String(version)
        self.major = major
    }
}
