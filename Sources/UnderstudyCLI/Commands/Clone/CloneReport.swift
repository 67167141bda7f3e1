import Understudy

/// The final message of `clone`.
enum CloneReport {
    static func text(_ result: StandbyClone.Result, directory: String) -> String {
        var lines = ["cloned \(Quantity.bytes(result.backup.bytes)) into \"\(directory)\"\(verified(result.backup))"]
        if let slot = result.slot {
            lines.append("replication slot \"\(slot)\" \(result.slotWasMade ? "created" : "taken over")")
        }
        if let standby = result.standby {
            var line = "standby is streaming on port \(standby.port) (PID \(standby.processID))"
            if let lag = standby.lagBytes { line += ", \(Quantity.bytes(lag)) behind the primary" }
            lines.append(line)
        } else {
            lines.append("start the standby with:")
            lines.append(PrintedText.indent + result.startCommand)
        }
        return lines.map { PrintedText.message($0) }.joined(separator: "\n")
    }

    private static func verified(_ backup: BackupResult) -> String {
        guard let count = backup.verifiedFiles else { return "" }
        return count == 1 ? ", 1 file verified" : ", \(count) files verified"
    }
}
