public import UnderstudyWAL

/// Why WAL cannot be replayed beyond a position.
public struct WALFlaw: Error, Hashable, Sendable, CustomStringConvertible {
    /// Later versions may have more kinds: switch over it with `@unknown default`.
    @nonexhaustive
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A segment, or the rest of one, is not there.
        case missing
        /// The WAL is of a server before 9.3, of a pre-release, or of none.
        case version
        /// A page without the magic number that pages of this WAL have.
        case pageMagic
        /// A page with flags that no server sets, or at the start of a segment without those that it sets there.
        case pageFlags
        /// A page of another position.
        case pageAddress
        /// A page of another size than the others.
        case pageSize
        /// A segment of another cluster.
        case system
        /// A segment of a cluster with another size of segments.
        case segmentSize
        /// A page of another timeline.
        case timeline
        /// Zeros where a record or page should be: WAL was not written beyond.
        case zeros
        /// A record whose length cannot be.
        case recordLength
        /// A record of a resource manager that does not exist.
        case resourceManager
        /// A record that does not follow the one before.
        case chain
        /// A record whose checksum does not match.
        case checksum
        /// A record whose headers contradict each other, though its checksum matches.
        case content
        /// A record that does not go on where it should, or the rest of one without its beginning.
        case continuation
        /// A record that should replace one that was given up, and does not.
        case overwrite
        /// No record begins where the range does.
        case start
        /// No record ends where the range does.
        case end
    }

    public var kind: Kind
    /// The record that is wrong; of a page, its start; of what is missing, the first position.
    public var position: LSN
    /// That of the range that was read.
    public var timeline: TimelineID
    /// Lower case, no full stop. Of what pg_waldump(1) would find, its words.
    public var message: String

    public init(kind: Kind, position: LSN, timeline: TimelineID, message: String) {
        self.kind = kind
        self.position = position
        self.timeline = timeline
        self.message = message
    }

    public var description: String { message }
}
