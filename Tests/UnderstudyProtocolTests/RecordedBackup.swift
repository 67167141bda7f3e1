import Testing
import UnderstudyProtocol
import UnderstudyTestSupport

/// What a recorded server was asked for, and the rows that it answered with.
struct RecordedBackup {
    let version: ServerVersion
    let query: String
    let facts: Recording.Backup
    /// Start position, list of tablespaces, end position.
    let rows: [ResultSet]

    init(version: String) throws {
        let recording = try Recording(version)
        self.version = ServerVersion(number: recording.meta.server_version_num)
        facts = try #require(recording.meta.backups["20-base-backup"])
        query = try recording.query("20-base-backup")
        rows = ResultSet.sets(in: try recording.messages("20-base-backup"))
    }
}

extension ResultSet {
    /// RowDescription and DataRow, as the manual's "Message Formats" has them.
    static func sets(in messages: [(type: Character, body: ArraySlice<UInt8>)]) -> [ResultSet] {
        var sets: [ResultSet] = []
        for (type, body) in messages {
            func integer(_ at: Int, _ length: Int) -> Int { body[at..<at + length].reduce(0) { $0 << 8 | Int($1) } }
            var place = body.startIndex + 2
            switch type {
            case "T":
                var columns: [String] = []
                for _ in 0..<integer(body.startIndex, 2) {
                    let name = body[place...].prefix { $0 != 0 }
                    columns.append(String(decoding: name, as: UTF8.self))
                    place += name.count + 19
                }
                sets.append(ResultSet(columns: columns, rows: []))
            case "D":
                var row: [String?] = []
                for _ in 0..<integer(body.startIndex, 2) {
                    let length = integer(place, 4)
                    place += 4
                    guard length != 0xFFFF_FFFF else {
                        row.append(nil)
                        continue
                    }
                    row.append(String(decoding: body[place..<place + length], as: UTF8.self))
                    place += length
                }
                sets[sets.count - 1].rows.append(row)
            default: break
            }
        }
        return sets
    }
}
