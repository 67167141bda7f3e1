import UnderstudyWAL

/// Checks before a backup or a clone begins. Each check returns its findings; none if all is well.
package enum Preflight {
    /// Checks the output of the server's `SHOW wal_level`. An unknown value passes.
    package static func walLevel(_ text: String, serverVersion: Int, hotStandby: Bool = true) -> [Finding] {
        guard let level = WALLevel(rawValue: text) else { return [] }
        let hint = PrimaryHint.raiseWALLevel(serverVersion)
        if !level.allowsReplication {
            return [
                Finding(
                    "wal_level \"\(text)\" of the primary is too low for replication",
                    detail: "The WAL of the primary lacks what a base backup needs.", hint: hint)
            ]
        }
        if hotStandby && !level.allowsHotStandby {
            return [
                Finding(
                    "wal_level \"\(text)\" of the primary is too low for a standby that answers queries", hint: hint)
            ]
        }
        return []
    }

    package static func walDirectory(_ directory: String, dataDirectory: String) -> [Finding] {
        let wal = Path(directory)
        guard wal.isAbsolute else {
            return [
                Finding(
                    "WAL directory \"\(directory)\" is not an absolute path",
                    hint: "Write the path from the root directory on.")
            ]
        }
        guard wal.overlaps(Path(dataDirectory)) else { return [] }
        return [
            Finding(
                "WAL directory \"\(directory)\" overlaps the data directory \"\(dataDirectory)\"",
                hint: "Choose a directory outside the data directory that does not contain it.")
        ]
    }
}
