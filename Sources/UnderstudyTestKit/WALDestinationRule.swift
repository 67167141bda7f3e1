/// A promise of a destination that the archiver relies on.
///
/// More rules may come. A destination that cannot keep one leaves it out of ``WALDestinationSuite/violations(of:)``.
public struct WALDestinationRule: Hashable, Sendable, CaseIterable, CustomStringConvertible {
    private enum Kind: String, CaseIterable {
        case startsEmpty = "a new store holds nothing"
        case acknowledgesWhatWasWritten = "sync returns no position beyond what was written"
        case acknowledgementNeverFalls = "what sync returns never falls"
        case acknowledgementAdvances = "sync returns a position once segments are finished"
        case reportsWhatWasWritten = "written is no position beyond what was written"
        case keepsWhatIsAcknowledged = "what sync has returned is held, even if the program is killed"
        case keepsWhatIsSuspended = "what was written before suspend is held"
        case keepsFinishedSegments = "a finished segment is held byte for byte"
        case inventsNothing = "no bytes are held that were not written"
        case continuesWithoutGap = "next is the start of a segment, and everything before it is held"
        case continuesWhereItEnded = "next is not before the segment of the last position acknowledged or suspended"
        case holdingsAreDurable = "everything before next is held if isDurable says so"
        case keepsHistories = "the last content of a history file is held when putHistory returns"
        case keepsGaps = "a gap is listed as it was noted"
        case refusesOtherClusters = "WAL of another cluster is refused"
        case setsAsideAfterFork = "WAL that is not of the server's past is set aside"
        case waitsForRoom = "a call that lacks room throws a temporary error, and can be repeated"
        case takesEveryCall = "no call fails that the archiver may make"
    }

    private let kind: Kind

    /// All rules, in the order in which they are listed here.
    public static var allCases: [WALDestinationRule] { Kind.allCases.map(WALDestinationRule.init) }

    /// The promise in one sentence.
    public var description: String { kind.rawValue }

    /// A new store holds nothing.
    public static let startsEmpty = Self(kind: .startsEmpty)
    /// What `sync` returns is not beyond what was written.
    public static let acknowledgesWhatWasWritten = Self(kind: .acknowledgesWhatWasWritten)
    /// What `sync` returns never falls before the next `suspend`.
    public static let acknowledgementNeverFalls = Self(kind: .acknowledgementNeverFalls)
    /// `sync` returns a position once segments are finished; without one, a slot never advances.
    public static let acknowledgementAdvances = Self(kind: .acknowledgementAdvances)
    /// The property `written` is not beyond what was written.
    public static let reportsWhatWasWritten = Self(kind: .reportsWhatWasWritten)
    /// What `sync` has returned is held, even if the program is killed or the segment written again.
    public static let keepsWhatIsAcknowledged = Self(kind: .keepsWhatIsAcknowledged)
    /// What was written before `suspend` is held.
    public static let keepsWhatIsSuspended = Self(kind: .keepsWhatIsSuspended)
    /// A finished segment is held byte for byte, even if bytes of it were written twice.
    public static let keepsFinishedSegments = Self(kind: .keepsFinishedSegments)
    /// No bytes are held that were not written. Zeros may follow those that were.
    public static let inventsNothing = Self(kind: .inventsNothing)
    /// `next` is the start of a segment, and everything before it is held.
    public static let continuesWithoutGap = Self(kind: .continuesWithoutGap)
    /// `next` is not before the segment of the last position acknowledged or suspended: the server may have removed
    /// what is before.
    public static let continuesWhereItEnded = Self(kind: .continuesWhereItEnded)
    /// Everything before `next` is held if `isDurable` says so.
    public static let holdingsAreDurable = Self(kind: .holdingsAreDurable)
    /// The last content of a history file is held when `putHistory` returns.
    public static let keepsHistories = Self(kind: .keepsHistories)
    /// A gap that `open` lists is one that was noted. A destination need not list any.
    public static let keepsGaps = Self(kind: .keepsGaps)
    /// WAL of another cluster is refused, and changes nothing.
    public static let refusesOtherClusters = Self(kind: .refusesOtherClusters)
    /// WAL that is not of the server's past is set aside: what a destination needs for servers that are promoted.
    public static let setsAsideAfterFork = Self(kind: .setsAsideAfterFork)
    /// A call that lacks room throws a temporary error, and succeeds when it is repeated with room.
    public static let waitsForRoom = Self(kind: .waitsForRoom)
    /// No call fails that the archiver may make.
    public static let takesEveryCall = Self(kind: .takesEveryCall)
}
