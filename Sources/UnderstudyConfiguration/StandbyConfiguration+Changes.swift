/// What is changed in a directory that may have been configured before: text in, text out.
extension StandbyConfiguration {
    /// A file before and after.
    public struct FileChange: Sendable, Equatable {
        /// The file's name in the data directory.
        public var name: String
        /// Its bytes; nil if there is no such file.
        public var old: [UInt8]?
        /// Its bytes afterwards; nil if it is removed.
        public var new: [UInt8]?

        public init(name: String, old: [UInt8]?, new: [UInt8]?) {
            self.name = name
            self.old = old
            self.new = new
        }
    }

    /// The files whose contents ``changes(to:)`` needs.
    ///
    /// Where the configuration is outside of the data directory, `postgresql.conf` is the one there.
    public var fileNames: [String] {
        let facts = ConfigurationFacts(serverVersion: serverVersion)
        let settings = facts.autoConf == .read ? FileName.autoConf : FileName.mainConf
        return facts.usesRecoveryConf
            ? [settings, FileName.recoveryConf] : [settings, FileName.standbySignal, FileName.recoverySignal]
    }

    /// The changes that give a directory these settings, in the order in which to make them; none for what is so already.
    ///
    /// A setting is replaced where it is, by its name; what has no value here stays, but for what belongs to a recovery
    /// target that is replaced. Before 12 the settings of recovery are in a marked block at the end of recovery.conf, and
    /// 9.3 has such a block in postgresql.conf. All other lines stay, to the byte.
    ///
    /// - Parameter files: The contents of the files of ``fileNames``, as far as they exist.
    public func changes(to files: [String: [UInt8]]) -> [FileChange] {
        let facts = ConfigurationFacts(serverVersion: serverVersion)
        var changes: [FileChange] = []
        func change(_ name: String, to new: [UInt8]?) {
            if files[name] != new { changes.append(FileChange(name: name, old: files[name], new: new)) }
        }
        func changed(_ name: String, _ edit: (inout ConfigurationDocument) -> Void) {
            var document = ConfigurationDocument(files[name] ?? [])
            edit(&document)
            // A file that is not there and has nothing to hold is not made.
            change(name, to: files[name] == nil && document.bytes.isEmpty ? nil : document.bytes)
        }
        let recovery = recoverySettings(facts), server = serverSettings(facts), removed = removedNames(facts, recovery)
        switch facts.autoConf {
        case .read:
            changed(FileName.autoConf) { document in
                document.remove(removed)
                let settings = facts.usesRecoveryConf ? server : recovery + server
                document.set(settings)
                // Empty targets have to stand before the one that is set.
                guard resetsRecoveryTarget, !document.hasOrder(of: settings, CopiedSettings.recoveryTargets) else {
                    return
                }
                document.remove(Set(CopiedSettings.recoveryTargets))
                document.set(settings)
            }
        case .none: changed(FileName.mainConf) { $0.setBlock(server, removing: removed) }
        }
        if facts.usesRecoveryConf {
            // Its presence begins a recovery, even if it is empty.
            let old = files[FileName.recoveryConf]
            var document = ConfigurationDocument(old ?? [])
            document.setBlock(recovery, removing: removed, isAlone: true)
            change(FileName.recoveryConf, to: document.bytes)
        } else {
            let other = mode == .standby ? FileName.recoverySignal : FileName.standbySignal
            change(signalFile, to: files[signalFile] ?? [])
            change(other, to: nil)
        }
        return changes
    }

    /// The settings whose earlier lines go, whatever is set.
    private func removedNames(_ facts: ConfigurationFacts, _ recovery: [Setting]) -> Set<String> {
        var names = Set(removedSettings.map { $0.lowercased() })
        if recoveryTarget != nil || takesTargetOut {
            // A line that is right already stays where it is.
            let kept = recovery.map(\.name)
            names.formUnion(RecoverySetting.ofTarget.filter { !kept.contains($0) })
        }
        if facts.usesRecoveryConf {
            if mode == .recovery { names.insert("standby_mode") }
            if timeline == .current { names.insert("recovery_target_timeline") }
        }
        return names
    }
}
