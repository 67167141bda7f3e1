package import UnderstudyWAL

/// The commands of a replication connection, as text for a server version.
///
/// Source: PostgreSQL manual, "Streaming Replication Protocol".
package enum ReplicationCommand {
    package static let identifySystem = "IDENTIFY_SYSTEM"

    package static func show(_ setting: String) -> String {
        "SHOW \(setting)"
    }

    /// - Parameter reserveWAL: From 9.6 the slot holds WAL from its creation on; before, from its first use.
    package static func createSlot(
        _ name: String, temporary: Bool, reserveWAL: Bool, version: ServerVersion
    ) -> String {
        var command = "CREATE_REPLICATION_SLOT \(identifier(name))"
        if temporary { command += " TEMPORARY" }
        command += " PHYSICAL"
        if reserveWAL && version.reservesWALOnSlotCreation {
            command += version.hasOptionLists ? " (RESERVE_WAL)" : " RESERVE_WAL"
        }
        return command
    }

    package static func dropSlot(_ name: String) -> String {
        "DROP_REPLICATION_SLOT \(identifier(name))"
    }

    package static func readSlot(_ name: String) -> String {
        "READ_REPLICATION_SLOT \(identifier(name))"
    }

    package static func startReplication(slot: String?, from position: LSN, timeline: TimelineID) -> String {
        let slot = slot.map { "SLOT \(identifier($0)) " } ?? ""
        // The word PHYSICAL says nothing more, and 9.3 does not know it.
        return "START_REPLICATION \(slot)\(position) TIMELINE \(timeline)"
    }

    package static func timelineHistory(_ timeline: TimelineID) -> String {
        "TIMELINE_HISTORY \(timeline)"
    }

    /// A quoted identifier of the replication grammar: double quotes, doubled inside.
    static func identifier(_ text: String) -> String {
        SQLText.quotedIdentifier(text)
    }

    /// A string of the replication grammar: single quotes, doubled inside. A backslash stands for itself.
    static func literal(_ text: String) -> String {
        SQLText.literal(text)
    }
}

/// What BASE_BACKUP is asked for. Each field is sent only to servers that know it.
package struct BaseBackupCommand: Sendable, Equatable {
    package var label: String
    /// Asks for the sizes of the tablespaces, which lets the server measure them first.
    package var progress = true
    package var fastCheckpoint = false
    /// Includes the WAL in the backup.
    package var includeWAL = false
    /// Returns without waiting until the archiver has stored the WAL.
    package var noWaitForArchive = false
    /// Kilobytes per second.
    package var maxRate: Int?
    package var verifyChecksums = true
    /// nil for no manifest, else the name of its checksum algorithm.
    package var manifestChecksum: String?
    package var manifestForceEncode = false

    package init(label: String) {
        self.label = label
    }

    package func text(for version: ServerVersion) -> String {
        version.hasOptionLists ? optionList(version) : keywords(version)
    }

    private func optionList(_ version: ServerVersion) -> String {
        var options = ["LABEL \(ReplicationCommand.literal(label))"]
        if progress { options.append("PROGRESS") }
        if fastCheckpoint { options.append("CHECKPOINT 'fast'") }
        if includeWAL { options.append("WAL") }
        if noWaitForArchive { options.append("WAIT 0") }
        if let maxRate { options.append("MAX_RATE \(maxRate)") }
        if !verifyChecksums { options.append("VERIFY_CHECKSUMS 0") }
        if let manifestChecksum {
            options.append("MANIFEST '\(manifestForceEncode ? "force-encode" : "yes")'")
            options.append("MANIFEST_CHECKSUMS '\(manifestChecksum)'")
        }
        options.append("TARGET 'client'")
        return "BASE_BACKUP (\(options.joined(separator: ", ")))"
    }

    private func keywords(_ version: ServerVersion) -> String {
        var words = ["BASE_BACKUP", "LABEL \(ReplicationCommand.literal(label))"]
        if progress { words.append("PROGRESS") }
        if fastCheckpoint { words.append("FAST") }
        if includeWAL { words.append("WAL") }
        if noWaitForArchive { words.append("NOWAIT") }
        if let maxRate, version.limitsBackupRate { words.append("MAX_RATE \(maxRate)") }
        if !verifyChecksums && version.verifiesPageChecksums { words.append("NOVERIFY_CHECKSUMS") }
        if let manifestChecksum, version.hasManifest {
            words.append("MANIFEST '\(manifestForceEncode ? "force-encode" : "yes")'")
            words.append("MANIFEST_CHECKSUMS '\(manifestChecksum)'")
        }
        return words.joined(separator: " ")
    }
}
