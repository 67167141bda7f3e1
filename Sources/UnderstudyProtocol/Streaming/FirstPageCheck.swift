package import UnderstudyWAL

/// Compares the first page of each received segment with the segment's name.
package struct FirstPageCheck {
    private let systemIdentifier: String
    /// The bytes received so far of the current segment's header.
    private var header: [UInt8] = []
    /// The last segment checked.
    private var last: WALSegmentName?

    package static let byteCount = WALPageHeader.byteCount

    package init(systemIdentifier: String) {
        self.systemIdentifier = systemIdentifier
    }

    /// - Parameter offset: The offset of the bytes in the segment, less than ``byteCount``. Calls must be in order and
    ///   without gaps.
    package mutating func take(_ bytes: RawSpan, _ segment: WALSegmentName, _ offset: Int) throws(StreamError) {
        if offset == 0 { header.removeAll(keepingCapacity: true) }
        // The bytes are copied before the call returns.
        unsafe bytes.extracting(..<min(bytes.byteCount, Self.byteCount - offset)).withUnsafeBytes {
            unsafe header.append(contentsOf: $0)
        }
        guard header.count == Self.byteCount else { return }
        // In the first segment streamed on a timeline, the first pages may be from the timeline before.
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
