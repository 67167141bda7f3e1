import UnderstudyWAL

/// What is wrong with pg_control, by the system identifier of the manifest.
enum ControlCheck {
    static let path = "global/pg_control"
    /// The file has this size from PostgreSQL 11 on, and 8 kB before that, too.
    static let size = 8192

    /// - Parameter name: Of the file, for the message.
    static func flaw(_ bytes: [UInt8], named name: String, identifier: UInt64) -> BackupFinding? {
        func finding(_ message: String) -> BackupFinding {
            BackupFinding(kind: .controlFile, path: path, message: message)
        }
        do throws(ControlFileError) {
            let control = try ControlFile(parsing: bytes)
            guard control.systemIdentifier != identifier else { return nil }
            return finding(
                "\(name): manifest system identifier is \(identifier), but control file has \(control.systemIdentifier)"
            )
        } catch {
            switch error {
            case .truncated(let count): return finding("could not read file \"\(name)\": read \(count) of 296")
            case .unknownVersion, .byteOrder: return finding("\(name): unexpected control file version")
            case .checksumMismatch: return finding("\(name): CRC is incorrect")
            case .invalidField: return finding("\(name): \(error)")
            }
        }
    }
}
