import UnderstudyBackupFormat
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
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
    /// What this query was asked for: the first part, and the ranges of that and of those behind it.
    private var asked: (first: Int, ranges: [Range<UInt64>]) = (0, [])
    /// The blocks that the target has; nil before the first query, and if it has none.
    private var present: PresentBlocks?

    /// How much one query compares: the digests are in its text, and blocks are read here before it begins.
    static var mostCompared: UInt64 { BackupQueue.pieceSize }

    init(_ unit: BackupUnit, meter: ProgressMeter, pages: PageCheck?) {
        self.unit = unit
        self.meter = meter
        self.pages = pages
        offset = unit.parts.first?.range.lowerBound ?? 0
    }

    /// Bytes of the unit that have come.
    private(set) var bytesDone: UInt64 = 0

    var isComplete: Bool { part == unit.parts.count }

    /// Runs one query for all that is left, or for as much as is compared at once. Call it until the transfer ``isComplete``.
    mutating func run(
        _ session: Session, _ sql: BackupSQL, into feeder: inout Feeder, pacer: RatePacer?
    ) throws(UnderstudyError) {
        try passEmpty(&feeder)
        guard !isComplete else { return }
        let ranges = try ask(sql, &feeder)
        let compares = ranges.contains { !$0.digests.isEmpty }
        isRejecting = false
        try session.copyRows(
            compares ? sql.compare(ranges) : sql.read(ranges), columns: compares ? 4 : 3
        ) { row throws(UnderstudyError) in
            var isSame = false
            if compares {
                do throws(ProtocolError) { isSame = try row.int32(2) == 1 } catch { throw UnderstudyError(error) }
            }
            let bytes = row.bytes(compares ? 3 : 2)
            try take(row, bytes, isSame: isSame, &feeder)
            if let pacer { pacer.pace(bytes?.byteCount ?? 0) }
        }
        let end = asked.first + asked.ranges.count - 1
        guard isRejecting || part > end || part == end && offset == asked.ranges.last!.upperBound else {
            throw UnderstudyError(.protocolViolation, "server ended a copy before the end of what it was asked for")
        }
    }

    /// What comes next: all that is left, or as much as is compared at once.
    private mutating func ask(_ sql: BackupSQL, _ feeder: inout Feeder) throws(UnderstudyError) -> [BackupSQL.FileRange]
    {
        asked = (part, [])
        if feeder.updates, present == nil { present = try PresentBlocks(sql) }
        present?.reset()
        var ranges: [BackupSQL.FileRange] = [], room = feeder.updates ? Self.mostCompared : .max
        for index in part..<unit.parts.count {
            let whole = unit.parts[index].range, start = index == part ? offset : whole.lowerBound
            var count = whole.upperBound - start
            // Where a file is cut, the next query goes on with a whole block.
            if count > room { count = room - room % BackupSQL.rowSize }
            guard count > 0 || whole.isEmpty else { break }
            let range = start..<start + count
            room -= count
            var asked = BackupSQL.FileRange(path: unit.parts[index].path, offset: start, end: range.upperBound)
            if let digests = try present?.addRange(index, unit.parts[index].entry, range, &feeder) {
                asked.digests = digests
            }
            ranges.append(asked)
            self.asked.ranges.append(range)
            // The rest of it comes next.
            if range.upperBound < whole.upperBound { break }
        }
        return ranges
    }

    private mutating func take(
        _ row: borrowing BinaryCopyRow, _ bytes: RawSpan?, isSame: Bool, _ feeder: inout Feeder
    ) throws(UnderstudyError) {
        if isRejecting { return }
        let index: Int32?, at: Int64?
        do throws(ProtocolError) { (index, at) = (try row.int32(0), try row.int64(1)) } catch {
            throw UnderstudyError(error)
        }
        guard !isComplete, let index, asked.ranges.indices.contains(Int(index)), Int(index) + asked.first == part,
            at.flatMap({ UInt64(exactly: $0) }) == offset, offset < asked.ranges[Int(index)].upperBound
        else {
            throw UnderstudyError(.protocolViolation, "server sent other bytes of its files than it was asked for")
        }
        let range = asked.ranges[Int(index)]
        let wanted = Int(min(BackupSQL.rowSize, range.upperBound - offset))
        if isSame {
            guard bytes == nil else {
                throw UnderstudyError(
                    .protocolViolation, "server sent bytes of \"\(unit.parts[part].path)\" that it calls the same")
            }
            let block = Int((offset - range.lowerBound) / BackupSQL.rowSize)
            if !isGone, try !takePresent(block, ofRange: Int(index), wanted, &feeder) { return isRejecting = true }
        } else if try !takeBytes(bytes, wanted, &feeder) {
            return isRejecting = true
        }
        offset += UInt64(wanted)
        bytesDone += UInt64(wanted)
        meter.count(bytes: wanted, ofThesePresent: isSame ? wanted : 0)
        if offset == unit.parts[part].range.upperBound { try endPart(&feeder) }
        try passEmpty(&feeder)
    }

    /// Feeds a block from what is here.
    ///
    /// - Returns: False if a page in it looks torn.
    private mutating func takePresent(
        _ block: Int, ofRange range: Int, _ wanted: Int, _ feeder: inout Feeder
    ) throws(UnderstudyError) -> Bool {
        let part = part, entry = unit.parts[part].entry, offset = offset
        guard
            let buffer = try present?.read(
                block: block, ofRange: range, part: part, entry, at: offset, count: wanted, &feeder)
        else { preconditionFailure("blocks were compared that nobody read") }
        if let pages, isTorn(buffer.bytes, pages) { return false }
        if !isOpen { try begin(&feeder) }
        try feeder.present(buffer.bytes)
        return true
    }

    /// - Returns: False if a page in the bytes looks torn.
    private mutating func takeBytes(
        _ bytes: RawSpan?, _ wanted: Int, _ feeder: inout Feeder
    ) throws(UnderstudyError) -> Bool {
        if let bytes {
            guard bytes.byteCount <= wanted else {
                throw UnderstudyError(
                    .protocolViolation,
                    "server sent \(bytes.byteCount) bytes of \"\(unit.parts[part].path)\" in place of \(wanted)")
            }
            if let pages, isTorn(bytes, pages) { return false }
        } else if !isOpen, !isGone, unit.parts[part].piece == nil {
            // It was removed since it was listed, and that removal is in the WAL of the backup.
            isGone = true
            try feeder.leaveOut(unit.parts[part].entry)
        }
        if !isGone { try feed(bytes, wanted, &feeder) }
        return true
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
