import Understudy

extension Remedy {
    /// The remedy in the words of the command line, with options that can be pasted.
    var commandLineText: String { text(\.option) }
}

extension Remedy.Step {
    /// The option of the command line, with its argument where that is known.
    fileprivate var option: String {
        switch value {
        case .stallTimeout: "--stall-timeout"
        case .existingSlot: "--slot alone"
        case .createSlot: "--create-slot"
        case .recreateSlot: "--recreate-slot"
        case .startLSN(let lsn): "--start-lsn" + (lsn.map { "=\($0)" } ?? "")
        case .forceClean: "--force-clean"
        case .forceCleanFor(let owner): "understudy clone --force-clean --owner \(ShellText.pasted(owner))"
        case .mapTablespace(let old, let new):
            ShellText.pasted("--tablespace-mapping=\(TablespaceArgument.text(from: old, to: new))")
        case .binDirectory: "--bin-dir"
        case .wait: "--wait"
        case .configFile: "--config-file"
        case .generateConfig: "--generate-config"
        case .standbyPort: "--standby-port"
        case .serverLog: "--log"
        case .setting(let name, let value): ShellText.pasted("--set=\(name)=\(value)")
        case .noPageChecksums: "--no-verify-checksums"
        case .resume(let moves):
            "--resume" + moves.map { " \(Remedy.Step.mapTablespace(from: $0.from, to: $0.to).option)" }.joined()
        case .resumeIn(let path): "-D \(ShellText.pasted(path)) --resume"
        case .updateExisting: "--delta"
        case .overwriteOtherCluster: "--force-other-cluster"
        case .recoveryMode: "--mode"
        case .restoreCommand: "--archive DIRECTORY or --restore-command COMMAND"
        case .role: "-U"
        }
    }
}
