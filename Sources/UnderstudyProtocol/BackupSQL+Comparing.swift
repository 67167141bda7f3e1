/// Comparing files with those of this side.
///
/// Source: PostgreSQL manual, "Generic File Access Functions", "Binary String Functions and Operators".
extension BackupSQL {
    /// Whether blocks are compared by MD5, as servers before 11 have no function for SHA-256.
    package var comparesByMD5: Bool { version.number < 110_000 }

    package var digestSize: Int { comparesByMD5 ? 16 : 32 }

    /// Copies ranges of files as ``read(_:)`` does, but for blocks that are here: rows of the range's index, the offset,
    /// 1 if the block has the digest that is given for it, or else 0, and the bytes, or NULL if it has.
    ///
    /// The server reads each block once, so what it compares is what it sends: it neither repeats nor moves what is computed
    /// below an OFFSET.
    package func compare(_ ranges: [FileRange]) -> String {
        let values = ranges.enumerated().map { index, range in
            "(\(index), \(SQLText.literal(range.path)), \(range.offset)::int8, \(range.end)::int8, \(SQLText.literal(range.digests)))"
        }
        let digest = comparesByMD5 ? "decode(md5(bytes), 'hex')" : "sha256(bytes)"
        return """
            COPY (SELECT i::int4, o, same::int4, CASE WHEN NOT same THEN bytes END FROM (\
            SELECT i, o, bytes, CASE WHEN d = '' THEN false ELSE coalesce(\(digest) = d, false) END AS same FROM (\
            SELECT i, o, substr(h, 1 + ((o - b) / \(Self.rowSize))::int4 * \(digestSize), \(digestSize)) AS d, \
            pg_read_binary_file(p, o, least(\(Self.rowSize), e - o), true) AS bytes \
            FROM (VALUES \(values.joined(separator: ", "))) AS range (i, p, b, e, h), \
            LATERAL generate_series(b, e - 1, \(Self.rowSize)) AS o OFFSET 0) AS block OFFSET 0) AS compared\
            ) TO STDOUT (FORMAT binary)
            """
    }
}
