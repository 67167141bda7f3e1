package import UnderstudyWAL

/// The commands of a replication connection, rendered for a server version.
///
/// Source: PostgreSQL manual, "Streaming Replication Protocol".
package enum ReplicationCommand {
    package static let identifySystem = "IDENTIFY_SYSTEM"

    package static let uploadManifest = "UPLOAD_MANIFEST"

    package static func show(_ setting: String) -> String {
        "SHOW \(setting)"
    }

    /// - Parameter reserveWAL: Whether the slot keeps WAL from its creation on (from 9.6); otherwise it does from its
    ///   first use.
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
        // PHYSICAL is the default, and 9.3 does not know the word.
        return "START_REPLICATION \(slot)\(position) TIMELINE \(timeline)"
    }

    package static func timelineHistory(_ timeline: TimelineID) -> String {
        "TIMELINE_HISTORY \(timeline)"
    }

    /// A quoted identifier of the replication grammar: in double quotes, with inner quotes doubled.
    static func identifier(_ text: String) -> String {
        SQLText.quotedIdentifier(text)
    }

    /// A string of the replication grammar: in single quotes, with inner quotes doubled. A backslash stands for itself.
    static func literal(_ text: String) -> String {
        SQLText.literal(text)
    }
}

/// The options of BASE_BACKUP. Each one is sent only to servers that know it.
package struct BaseBackupCommand: Sendable {
    package var label: String
    /// Requests the sizes of the tablespaces. The server measures them before it sends data.
    package var progress = true
    package var fastCheckpoint = false
    /// Includes the WAL in the backup.
    package var includeWAL = false
    /// Does not wait until the archiver has stored the WAL.
    package var noWaitForArchive = false
    /// Asks for a file `tablespace_map` in place of links.
    package var tablespaceMap = false
    /// Kilobytes per second.
    package var maxRate: Int?
    package var verifyChecksums = true
    /// The manifest's checksum algorithm; nil for no manifest.
    package var manifestChecksum: String?
    package var manifestForceEncode = false
    /// How the server compresses the archives, unjudged; from 15.
    package var compression: (method: String, detail: String?)?
    /// Where the server puts the backup, unjudged; nil for the client. From 15.
    package var target: (name: String, detail: String?)?
    /// Only the changes since the backup whose manifest was uploaded; from 17.
    package var incremental = false

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
        if tablespaceMap { options.append("TABLESPACE_MAP") }
        if !verifyChecksums { options.append("VERIFY_CHECKSUMS 0") }
        if let manifestChecksum {
            options.append("MANIFEST '\(manifestForceEncode ? "force-encode" : "yes")'")
            options.append("MANIFEST_CHECKSUMS '\(manifestChecksum)'")
        }
        if incremental { options.append("INCREMENTAL") }
        options.append("TARGET \(ReplicationCommand.literal(target?.name ?? "client"))")
        if let detail = target?.detail { options.append("TARGET_DETAIL \(ReplicationCommand.literal(detail))") }
        if let compression {
            options.append("COMPRESSION \(ReplicationCommand.literal(compression.method))")
            if let detail = compression.detail {
                options.append("COMPRESSION_DETAIL \(ReplicationCommand.literal(detail))")
            }
        }
        return "BASE_BACKUP (\(options.joined(separator: ", ")))"
    }

    private func keywords(_ version: ServerVersion) -> String {
        var words = ["BASE_BACKUP", "LABEL \(ReplicationCommand.literal(label))"]
        if progress { words.append("PROGRESS") }
        if fastCheckpoint { words.append("FAST") }
        if includeWAL { words.append("WAL") }
        if noWaitForArchive { words.append("NOWAIT") }
        if let maxRate, version.limitsBackupRate { words.append("MAX_RATE \(maxRate)") }
        if tablespaceMap, version.hasTablespaceMap { words.append("TABLESPACE_MAP") }
        if !verifyChecksums && version.verifiesPageChecksums { words.append("NOVERIFY_CHECKSUMS") }
        if let manifestChecksum, version.hasManifest {
            words.append("MANIFEST '\(manifestForceEncode ? "force-encode" : "yes")'")
            words.append("MANIFEST_CHECKSUMS '\(manifestChecksum)'")
        }
        return words.joined(separator: " ")
    }
}
