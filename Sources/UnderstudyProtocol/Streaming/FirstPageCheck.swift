package import UnderstudyWAL

/// Holds the first page of each segment that comes against the segment's name.
package struct FirstPageCheck {
    private let systemIdentifier: String
    /// What has come of the header of the segment under way.
    private var header: [UInt8] = []
    /// The segment that was looked at last.
    private var last: WALSegmentName?

    package static let byteCount = WALPageHeader.byteCount

    package init(systemIdentifier: String) {
        self.systemIdentifier = systemIdentifier
    }

    /// - Parameter offset: Of the bytes within the segment, less than ``byteCount``; pieces follow each other.
    package mutating func take(_ bytes: RawSpan, _ segment: WALSegmentName, _ offset: Int) throws(StreamError) {
        if offset == 0 { header.removeAll(keepingCapacity: true) }
        // The bytes are copied within the call.
        unsafe bytes.extracting(..<min(bytes.byteCount, Self.byteCount - offset)).withUnsafeBytes {
            unsafe header.append(contentsOf: $0)
        }
        guard header.count == Self.byteCount else { return }
        // Where the stream begins on a timeline, the segment may have been begun on the one before.
        let beginsTimeline = last?.timeline != segment.timeline
        last = segment
        guard let page = WALPageHeader(header) else {
            throw StreamError(.otherWAL, "server sent no WAL in place of segment \"\(segment)\"")
        }
        guard
            let mismatch = page.mismatch(
                with: segment, ofSystem: systemIdentifier, beginsTimeline: beginsTimeline)
        else { return }
        throw StreamError(
            .otherWAL, "server sent other WAL in place of segment \"\(segment)\": its first page is of \(mismatch)")
    }
}
