extension ControlFile {
    /// Where recovery of a data directory begins if no backup_label says so: the redo position of the newest checkpoint,
    /// and its timeline.
    ///
    /// Source: `checkPointCopy` in `src/include/catalog/pg_control.h`; it begins with both in all versions.
    package static func checkpoint(parsing bytes: [UInt8]) throws(ControlFileError) -> WALPosition {
        let control = try ControlFile(parsing: bytes)
        // 11 dropped the position of the previous checkpoint, which stood before it. The checksum has covered all this.
        let offset = control.version < 1100 ? 48 : 40
        let number = { (range: Range<Int>) in
            bytes[bytes.startIndex..<bytes.endIndex].dropFirst(range.lowerBound).prefix(range.count).reversed()
                .reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        }
        return WALPosition(
            timeline: TimelineID(rawValue: UInt32(number(offset + 8..<offset + 12))),
            lsn: LSN(rawValue: number(offset..<offset + 8)))
    }
}
