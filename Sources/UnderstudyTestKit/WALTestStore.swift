public import UnderstudyStreaming
public import UnderstudyWAL

/// The store of a destination under test, such as a directory or a bucket: new and empty, and used by one scenario of
/// ``WALDestinationSuite`` alone.
///
/// Everything but ``start()`` looks at the store past the destination, as a restore would.
public protocol WALTestStore {
    /// The destination as a program makes it that has just been started. Each call is given the same store.
    ///
    /// The destination made before has been closed, or let go without a call, as a killed program does.
    func start() throws -> any WALDestination

    /// The bytes held of a segment, complete or not, decompressed.
    ///
    /// - Returns: From the segment's first byte on; zeros may follow the last byte that was written. Nil if nothing is
    ///   held under the segment's name. What was set aside does not count.
    func content(of segment: WALSegment) throws -> [UInt8]?

    /// The bytes held of a timeline's history file; nil if there are none.
    func history(of timeline: TimelineID) throws -> [UInt8]?

    /// Takes all room away from the store, or gives it back.
    ///
    /// - Returns: False if this store cannot be filled; the scenario of the full store is then left out.
    func setFull(_ isFull: Bool) throws -> Bool
}

extension WALTestStore {
    public func setFull(_ isFull: Bool) -> Bool { false }
}
