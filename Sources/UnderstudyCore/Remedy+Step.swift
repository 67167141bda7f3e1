public import UnderstudyWAL

extension Remedy {
    /// An option of this library to set or change, with the value to give it where that is known.
    ///
    /// Later versions may have more of them. `description` names the option as a Swift program sets it.
    public struct Step: Hashable, Sendable {
        package enum Value: Hashable, Sendable {
            case stallTimeout, existingSlot, createSlot(String?), recreateSlot(String), startLSN(LSN?)
            case forceClean, forceCleanFor(owner: String), mapTablespace(from: String, to: String?)
            case binDirectory, wait, configFile, generateConfig, standbyPort, serverLog, role, noPageChecksums
            case setting(String, String)
            case resume([Move]), resumeIn(String), updateExisting, overwriteOtherCluster, recoveryMode, restoreCommand
        }

        /// A tablespace, as the server reports its directory, and its directory here.
        package struct Move: Hashable, Sendable {
            package var from: String
            package var to: String

            package init(from: String, to: String) {
                self.from = from
                self.to = to
            }
        }

        package let value: Value

        /// How long the server may be silent: `stallTimeout`.
        public static let stallTimeout = Step(value: .stallTimeout)
        /// A slot that exists, without making one: ``ReplicationSlot/existing(_:)``.
        public static let existingSlot = Step(value: .existingSlot)
        /// Making a missing slot: `createIfMissing`.
        ///
        /// - Parameter name: The slot, if it is known.
        public static func createSlot(_ name: String?) -> Step { Step(value: .createSlot(name)) }
        /// Making an invalidated slot anew: `recreatesSlot`.
        public static func recreateSlot(_ name: String) -> Step { Step(value: .recreateSlot(name)) }
        /// Where a stream begins: `startLSN`.
        ///
        /// - Parameter lsn: The position to begin at; nil if the option is named without a value.
        public static func startLSN(_ lsn: LSN?) -> Step { Step(value: .startLSN(lsn)) }
        /// Removing what a run that was killed has left: `forceClean`.
        public static let forceClean = Step(value: .forceClean)
        /// The same for leftovers that belong to another user, with `owner` set to that user.
        public static func forceClean(owner: String) -> Step { Step(value: .forceCleanFor(owner: owner)) }
        /// Another directory for a tablespace: `tablespaceMappings`.
        ///
        /// - Parameters:
        ///   - old: The directory as the server reports it; invalid UTF-8 in it has been replaced by U+FFFD.
        ///   - new: Its directory here; nil for one to be chosen.
        public static func mapTablespace(from old: String, to new: String? = nil) -> Step {
            Step(value: .mapTablespace(from: old, to: new))
        }
        /// The directory of pg_ctl: `binDirectory`.
        public static let binDirectory = Step(value: .binDirectory)
        /// How long to wait for a started standby: `wait`.
        public static let wait = Step(value: .wait)
        /// A configuration that exists: `configFile`.
        public static let configFile = Step(value: .configFile)
        /// A minimal configuration: `generateConfig`.
        public static let generateConfig = Step(value: .generateConfig)
        /// Another port for the standby: `port`.
        public static let standbyPort = Step(value: .standbyPort)
        /// Another file for what a started standby says: `log`.
        public static let serverLog = Step(value: .serverLog)
        /// A setting of the standby: `settings`.
        public static func setting(_ name: String, _ value: String) -> Step { Step(value: .setting(name, value)) }
        /// Not having the server verify page checksums: `verifyServerChecksums`.
        public static let noPageChecksums = Step(value: .noPageChecksums)
        /// Going on from what an interrupted run has left: `existing` as `resumed`.
        public static let resume = Step(value: .resume([]))
        /// The same, with mappings of tablespaces that were found, and not given.
        package static func resumeWith(_ moves: [Move]) -> Step { Step(value: .resume(moves)) }
        /// The same in another directory.
        package static func resumeIn(_ directory: String) -> Step { Step(value: .resumeIn(directory)) }
        /// Making a data directory equal to its source: `existing` as `updated`.
        public static let updateExisting = Step(value: .updateExisting)
        /// Overwriting a data directory of another cluster: `overwritesOtherCluster`.
        public static let overwriteOtherCluster = Step(value: .overwriteOtherCluster)
        /// What a configured server does when it starts: `mode`.
        public static let recoveryMode = Step(value: .recoveryMode)
        /// How a server gets WAL from an archive: `restoreCommand`.
        public static let restoreCommand = Step(value: .restoreCommand)
        /// The role to log in with: `user` in the connection string.
        public static let role = Step(value: .role)
    }
}

extension Remedy.Step: CustomStringConvertible {
    public var description: String {
        switch value {
        case .stallTimeout: "stallTimeout"
        case .existingSlot: "ReplicationSlot.existing"
        case .createSlot: "createIfMissing"
        case .recreateSlot: "recreatesSlot"
        case .startLSN(let lsn): lsn.map { "startLSN = \($0)" } ?? "startLSN"
        case .forceClean: "forceClean"
        case .forceCleanFor(let owner): "forceClean with owner \"\(owner)\""
        case .mapTablespace(let old, let new):
            "tablespaceMappings from \"\(old)\"" + (new.map { " to \"\($0)\"" } ?? " to another directory")
        case .binDirectory: "binDirectory"
        case .wait: "wait"
        case .configFile: "configFile"
        case .generateConfig: "generateConfig"
        case .standbyPort: "port"
        case .serverLog: "log"
        case .setting(let name, let value): "settings with \(name) = \(value)"
        case .noPageChecksums: "verifyServerChecksums = false"
        case .resume(let moves):
            "existing = .resumed" + moves.map { " and \(Remedy.Step.mapTablespace(from: $0.from, to: $0.to))" }.joined()
        case .resumeIn(let path): "existing = .resumed for \"\(path)\""
        case .updateExisting: "existing = .updated"
        case .overwriteOtherCluster: "overwritesOtherCluster"
        case .recoveryMode: "mode"
        case .restoreCommand: "restoreCommand"
        case .role: "user in the connection string"
        }
    }
}
