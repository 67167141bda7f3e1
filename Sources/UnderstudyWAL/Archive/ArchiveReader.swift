/// Answers what only the contents of an archive's files tell. It is asked about few files, mostly the newest: what
/// precedes a good file was good when that file was begun.
public protocol ArchiveReader {
    associatedtype Failure: Error

    /// Whether a file can be what its name says.
    mutating func verdict(on file: ArchivedSegment) throws(Failure) -> ArchivedSegment.Verdict

    /// Whether a complete file really holds all of its segment, or all up to a switch to the next one.
    mutating func isWhole(_ file: ArchivedSegment) throws(Failure) -> Bool

    /// Whether a file has anything but zeros from a position on.
    mutating func hasContent(_ file: ArchivedSegment, from position: LSN) throws(Failure) -> Bool

    /// The position up to which a file holds WAL; nil if it holds none, or other WAL than its name says.
    mutating func end(of file: ArchivedSegment) throws(Failure) -> LSN?
}

extension ArchivedSegment {
    /// What the content of a file says about its name.
    public enum Verdict: Hashable, Sendable {
        /// It can hold the WAL that the name says.
        case sound
        /// It is damaged, or has a size that no such file has: it is skipped.
        case unusable
        /// It holds other WAL. It must be set aside, for its name is needed.
        case misnamed
    }
}

/// Believes the names: for a store that gives a file its name only once it is stored, and in which nobody else writes.
/// A partial file counts as empty in the search for gaps, and as full where a timeline ends in it.
public struct TrustedNames: ArchiveReader {
    public typealias Failure = Never

    public init() {}

    public func verdict(on file: ArchivedSegment) -> ArchivedSegment.Verdict { .sound }
    public func isWhole(_ file: ArchivedSegment) -> Bool { !file.isPartial }
    public func hasContent(_ file: ArchivedSegment, from position: LSN) -> Bool { true }
    public func end(of file: ArchivedSegment) -> LSN? { file.isPartial ? nil : file.segment.endLSN }
}
