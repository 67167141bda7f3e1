package import UnderstudyWAL

/// A result set: column names, and rows of text fields, nil for NULL.
package struct ResultSet: Sendable, Equatable {
    package var columns: [String]
    package var rows: [[String?]]

    package init(columns: [String], rows: [[String?]]) {
        self.columns = columns
        self.rows = rows
    }

    /// The only row, with at least `count` columns. Throws an error that names `command` otherwise.
    package func onlyRow(atLeast count: Int, of command: String) throws(ProtocolError) -> [String?] {
        guard rows.count == 1, let row = rows.first, row.count >= count else {
            throw ProtocolError(
                "unexpected answer to \(command): got \(rows.count) rows and \(columns.count) columns, expected 1 row and \(count) or more columns"
            )
        }
        return row
    }
}

/// The answer to IDENTIFY_SYSTEM.
package struct SystemIdentity: Sendable, Equatable {
    package var systemIdentifier: String
    package var timeline: TimelineID
    /// The position up to which the server has flushed WAL to disk.
    package var position: LSN

    package init(_ result: ResultSet) throws(ProtocolError) {
        let row = try result.onlyRow(atLeast: 3, of: "IDENTIFY_SYSTEM")
        guard let identifier = row[0], UInt64(identifier) != nil else {
            throw ProtocolError("unexpected answer to IDENTIFY_SYSTEM: no system identifier")
        }
        systemIdentifier = identifier
        timeline = try decodeTimeline(row[1], of: "IDENTIFY_SYSTEM")
        position = try decodeLSN(row[2], of: "IDENTIFY_SYSTEM")
    }
}

/// The start or end position of a backup.
package struct BackupPosition: Sendable, Equatable {
    package var lsn: LSN
    package var timeline: TimelineID

    package init(lsn: LSN, timeline: TimelineID) {
        self.lsn = lsn
        self.timeline = timeline
    }

    package init(_ result: ResultSet) throws(ProtocolError) {
        let row = try result.onlyRow(atLeast: 2, of: "BASE_BACKUP")
        lsn = try decodeLSN(row[0], of: "BASE_BACKUP")
        timeline = try decodeTimeline(row[1], of: "BASE_BACKUP")
    }
}

/// An archive that the server announces: a tablespace or the data directory.
package struct AnnouncedArchive: Sendable, Equatable {
    /// nil for the data directory.
    package var oid: UInt32?
    /// The directory on the server; nil for the data directory.
    package var location: String?
    /// The server's estimate in bytes; nil if it was not requested.
    package var size: UInt64?

    /// The maximum number of tablespaces accepted: far more than any server has.
    package static let mostTablespaces = 10_000
    /// The maximum length of a location in bytes: MAXPGPATH. The server's symbolic links are shorter.
    package static let longestLocation = 1024
    /// The maximum length of all locations together, in bytes. The marker file of a run lists them, and is at most 4
    /// MiB.
    package static let mostLocationBytes = 3 << 20

    package init(oid: UInt32?, location: String?, size: UInt64?) {
        self.oid = oid
        self.location = location
        self.size = size
    }

    /// Decodes the list that BASE_BACKUP sends before the data. Exactly one entry is the data directory; OIDs are
    /// unique.
    package static func decode(_ result: ResultSet) throws(ProtocolError) -> [AnnouncedArchive] {
        guard result.rows.count <= mostTablespaces + 1 else {
            throw ProtocolError(
                "unexpected list of tablespaces: it has \(result.rows.count) rows, and at most \(mostTablespaces) tablespaces are taken"
            )
        }
        var archives: [AnnouncedArchive] = []
        for row in result.rows {
            archives.append(try AnnouncedArchive(row))
        }
        guard archives.count(where: { $0.oid == nil }) == 1 else {
            throw ProtocolError("unexpected list of tablespaces: no data directory, or more than one")
        }
        let bytes = archives.reduce(0) { $0 + ($1.location?.utf8.count ?? 0) }
        guard bytes <= mostLocationBytes else {
            throw ProtocolError(
                "unexpected list of tablespaces: their locations have \(bytes) bytes, and at most \(mostLocationBytes) are taken"
            )
        }
        let oids = archives.compactMap(\.oid)
        guard Set(oids).count == oids.count else {
            throw ProtocolError("unexpected list of tablespaces: one is listed twice")
        }
        return archives
    }

    private init(_ row: [String?]) throws(ProtocolError) {
        guard row.count >= 3 else {
            throw ProtocolError("unexpected list of tablespaces: \(row.count) columns, expected 3")
        }
        size = try row[2].flatMap { text throws(ProtocolError) -> UInt64? in
            guard let kilobytes = Int64(text) else {
                throw ProtocolError("unexpected size \"\(text)\" in the list of tablespaces")
            }
            // A negative or too large estimate is ignored: it is not worth failing for.
            let (bytes, overflow) = (UInt64(exactly: kilobytes) ?? .max).multipliedReportingOverflow(by: 1024)
            return overflow ? nil : bytes
        }
        guard let oidText = row[0] else {
            oid = nil
            location = nil
            return
        }
        guard let oid = UInt32(oidText), oid > 0, let location = row[1], !location.isEmpty else {
            throw ProtocolError("unexpected tablespace \"\(oidText)\" in the list of tablespaces")
        }
        guard location.utf8.count <= Self.longestLocation else {
            throw ProtocolError(
                "unexpected location of tablespace \(oid): it has \(location.utf8.count) bytes, and at most \(Self.longestLocation) are taken"
            )
        }
        self.oid = oid
        self.location = location
    }
}

/// The answer to READ_REPLICATION_SLOT. Every field is NULL if the slot does not exist.
package struct SlotState: Sendable, Equatable {
    package var kind: String
    /// The position from which the server keeps WAL. Nil for a slot that was never used or was invalidated.
    package var restartLSN: LSN?
    /// The timeline of that position; nil if the server does not report it.
    package var restartTimeline: TimelineID?

    package init(kind: String, restartLSN: LSN? = nil, restartTimeline: TimelineID? = nil) {
        self.kind = kind
        self.restartLSN = restartLSN
        self.restartTimeline = restartTimeline
    }

    package static func decode(_ result: ResultSet) throws(ProtocolError) -> SlotState? {
        let row = try result.onlyRow(atLeast: 3, of: "READ_REPLICATION_SLOT")
        guard let kind = row[0] else { return nil }
        let position = row[1], timeline = row[2]
        return SlotState(
            kind: kind, restartLSN: position == nil ? nil : try decodeLSN(position, of: "READ_REPLICATION_SLOT"),
            restartTimeline: timeline == nil || timeline == "0"
                ? nil : try decodeTimeline(timeline, of: "READ_REPLICATION_SLOT"))
    }
}

/// The row that follows a stream that ended because its timeline ended.
package struct NextTimeline: Sendable, Equatable {
    package var timeline: TimelineID
    package var position: LSN

    package init(_ result: ResultSet) throws(ProtocolError) {
        let row = try result.onlyRow(atLeast: 2, of: "START_REPLICATION")
        timeline = try decodeTimeline(row[0], of: "START_REPLICATION")
        position = try decodeLSN(row[1], of: "START_REPLICATION")
    }
}

private func decodeLSN(_ text: String?, of command: String) throws(ProtocolError) -> LSN {
    guard let text, let lsn = LSN(text) else {
        throw ProtocolError("unexpected answer to \(command): \"\(text ?? "NULL")\" is no WAL position")
    }
    return lsn
}

private func decodeTimeline(_ text: String?, of command: String) throws(ProtocolError) -> TimelineID {
    guard let text, let value = UInt32(text), value > 0 else {
        throw ProtocolError("unexpected answer to \(command): \"\(text ?? "NULL")\" is no timeline")
    }
    return TimelineID(rawValue: value)
}
