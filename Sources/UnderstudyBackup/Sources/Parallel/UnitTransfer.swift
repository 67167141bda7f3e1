import UnderstudyBackupFormat
import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol

/// Feeds a unit from the rows of one query or, if the connection breaks, of several: each goes on where the last one has
/// ended.
struct UnitTransfer<Feeder: MemberFeeder>: ~Copyable {
    private let unit: BackupUnit
    private let meter: ProgressMeter
    private let pages: PageCheck?
    /// The part whose bytes come next, and the offset of the next ones.
    private var part = 0
    private var offset: UInt64
    private var isOpen = false
    /// Whether the current part is left out, since its file is gone.
    private var isGone = false
    /// Whether the rest of this query's rows is thrown away: a page looked torn, and is read again with what follows.
    private var isRejecting = false
    /// Where that was; there it is not rejected again.
    private var rejectedAt: (part: Int, offset: UInt64)?

    init(_ unit: BackupUnit, meter: ProgressMeter, pages: PageCheck?) {
        self.unit = unit
        self.meter = meter
        self.pages = pages
        offset = unit.parts.first?.range.lowerBound ?? 0
    }

    /// Bytes of the unit that have come.
    private(set) var bytesDone: UInt64 = 0

    var isComplete: Bool { part == unit.parts.count }

    /// Runs one query for all that is left. Call it until the transfer ``isComplete``.
    mutating func run(
        _ session: Session, _ sql: BackupSQL, into feeder: inout Feeder, pacer: RatePacer?
    ) throws(UnderstudyError) {
        try passEmpty(&feeder)
        guard !isComplete else { return }
        let first = part
        var ranges: [BackupSQL.FileRange] = []
        for index in part..<unit.parts.count {
            let range = unit.parts[index].range
            ranges.append(
                .init(
                    path: unit.parts[index].path, offset: index == part ? offset : range.lowerBound,
                    end: range.upperBound))
        }
        isRejecting = false
        try session.copyRows(sql.read(ranges), columns: 3) { row throws(UnderstudyError) in
            try take(row, first, &feeder)
            if let pacer { pacer.pace(row.bytes(2)?.byteCount ?? 0) }
        }
        guard isComplete || isRejecting else {
            throw UnderstudyError(.protocolViolation, "server ended a copy before the end of what it was asked for")
        }
    }

    private mutating func take(
        _ row: borrowing BinaryCopyRow, _ first: Int, _ feeder: inout Feeder
    ) throws(UnderstudyError) {
        if isRejecting { return }
        let index: Int32?, at: Int64?
        do throws(ProtocolError) { (index, at) = (try row.int32(0), try row.int64(1)) } catch {
            throw UnderstudyError(error)
        }
        guard !isComplete, index.map({ Int($0) + first }) == part, at.flatMap({ UInt64(exactly: $0) }) == offset else {
            throw UnderstudyError(.protocolViolation, "server sent other bytes of its files than it was asked for")
        }
        let end = unit.parts[part].range.upperBound
        let wanted = Int(min(BackupSQL.rowSize, end - offset))
        let bytes = row.bytes(2)
        if let bytes {
            guard bytes.byteCount <= wanted else {
                throw UnderstudyError(
                    .protocolViolation,
                    "server sent \(bytes.byteCount) bytes of \"\(unit.parts[part].path)\" in place of \(wanted)")
            }
            if let pages, isTorn(bytes, pages) { return isRejecting = true }
        } else if !isOpen, unit.parts[part].piece == nil {
            // It was removed since it was listed, and that removal is in the WAL of the backup.
            isGone = true
        }
        if !isGone { try feed(bytes, wanted, &feeder) }
        offset += UInt64(wanted)
        bytesDone += UInt64(wanted)
        meter.count(bytes: wanted)
        if offset == end { try endPart(&feeder) }
        try passEmpty(&feeder)
    }

    /// Feeds the bytes that came, and zeros for those that did not: the file has become shorter since it was listed.
    private mutating func feed(_ bytes: RawSpan?, _ wanted: Int, _ feeder: inout Feeder) throws(UnderstudyError) {
        if !isOpen { try begin(&feeder) }
        if let bytes, !bytes.isEmpty { try feeder.content(bytes) }
        let missing = wanted - (bytes?.byteCount ?? 0)
        if missing > 0 {
            let zeros = [UInt8](repeating: 0, count: missing)
            try feeder.content(zeros.rawSpan)
        }
    }

    private mutating func begin(_ feeder: inout Feeder) throws(UnderstudyError) {
        let current = unit.parts[part]
        if meter.namesFiles { meter.note(file: current.path) }
        if let piece = current.piece { try feeder.begin(current.entry, piece) } else { try feeder.begin(current.entry) }
        isOpen = true
    }

    private mutating func endPart(_ feeder: inout Feeder) throws(UnderstudyError) {
        if isOpen { try feeder.end() }
        isOpen = false
        isGone = false
        part += 1
        if !isComplete { offset = unit.parts[part].range.lowerBound }
    }

    /// Feeds empty files: no row comes for them.
    private mutating func passEmpty(_ feeder: inout Feeder) throws(UnderstudyError) {
        while !isComplete, unit.parts[part].range.isEmpty {
            try begin(&feeder)
            try endPart(&feeder)
        }
    }

    /// Whether the bytes hold a page with a wrong checksum, and are to be read once more.
    private mutating func isTorn(_ bytes: RawSpan, _ pages: PageCheck) -> Bool {
        let path = unit.parts[part].path, flaws = pages.flaws(in: bytes, of: path, at: offset)
        guard !flaws.isEmpty else { return false }
        if let rejectedAt, rejectedAt == (part, offset) {
            for page in flaws { pages.note(page, of: path) }
            return false
        }
        rejectedAt = (part, offset)
        return true
    }
}
