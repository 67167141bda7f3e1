import UnderstudyCore
import UnderstudyPlatform

/// Fills batches for the writers on the network thread: content is copied once, into their blocks.
struct BatchFiller<Output: MemberOutput & ~Copyable> {
    private let pool: WritePool<Output>
    /// The order of batches, if feeders take turns.
    private let turns: WriteTurns<Output>?
    private let feeder: Int
    private var batch: WriteBatch<Output.Place>?
    /// The turn that has begun; nil if the feeder takes none.
    private var turn: Int?

    /// - Parameter turns: If given, the feeder may take turns with others; it does not mix with those in any case.
    init(pool: WritePool<Output>, turns: WriteTurns<Output>? = nil) {
        self.pool = pool
        self.turns = turns
        feeder = turns?.addFeeder() ?? pool.addFeeder()
    }

    // MARK: - Turns

    /// Begins a turn. What comes until its end is passed to the writer when that turn is due.
    mutating func beginTurn(_ number: Int) {
        precondition(batch == nil, "a turn begins before what came earlier was submitted")
        turn = number
    }

    /// Whether all turns before have ended.
    var isDue: Bool { turn.map { turns!.isDue($0) } ?? true }

    mutating func endTurn() {
        if let batch { submit(batch) }
        turns!.end(turn!, of: feeder)
        turn = nil
    }

    /// Goes on with the file that was open at the end of the turn before.
    mutating func resume() throws(UnderstudyError) {
        precondition(batch == nil, "a file is resumed within a turn")
        batch = try newBatch(isLarge: true)
    }

    // MARK: - Files

    /// Begins a file. A large one begins a new batch, so that its pieces stay aligned for direct writes.
    mutating func open(_ file: FileToWrite<Output.Place>) throws(UnderstudyError) {
        if let batch,
            file.count >= OutputFile.directThreshold || file.count > UInt64(batch.block.room) || file.piece != nil
                || batch.commands.count >= WriteBatch<Output.Place>.mostCommands
        {
            submit(batch)
        }
        if batch == nil { batch = try newBatch(isLarge: file.count >= OutputFile.directThreshold) }
        batch!.commands.append(.open(file))
    }

    /// - Parameter isPresent: Whether the file holds these bytes already.
    mutating func append(_ bytes: RawSpan, isPresent: Bool = false) throws(UnderstudyError) {
        var rest = bytes
        while rest.byteCount > 0 {
            if batch!.block.room == 0 { try goOn() }
            let start = batch!.block.count
            let count = batch!.block.append(rest)
            batch!.add(start..<start + count, isPresent: isPresent)
            rest = rest.extracting(count...)
        }
    }

    /// Passes bytes of an archive on that is kept as it comes.
    mutating func keep(_ bytes: RawSpan, in place: Output.Place) throws(UnderstudyError) {
        var rest = bytes
        while rest.byteCount > 0 {
            if batch == nil { batch = try newBatch(isLarge: false) }
            if batch!.block.room == 0 { try goOn() }
            let start = batch!.block.count
            let count = batch!.block.append(rest)
            batch!.commands.append(.kept(start..<start + count, in: place))
            rest = rest.extracting(count...)
        }
    }

    /// Begins an archive that may get no member.
    mutating func touch(_ place: Output.Place) throws(UnderstudyError) {
        if batch == nil { batch = try newBatch(isLarge: false) }
        batch!.commands.append(.kept(0..<0, in: place))
    }

    mutating func close() {
        batch!.commands.append(.close)
    }

    /// Submits the current batch, and waits until everything is written.
    mutating func drain() throws(UnderstudyError) {
        if let batch { submit(batch) }
        try pool.drain()
    }

    // MARK: - Batches

    private func newBatch(isLarge: Bool) throws(UnderstudyError) -> WriteBatch<Output.Place> {
        guard let turns else { return try pool.newBatch(of: feeder, isLarge: isLarge) }
        if let turn { try turns.claimBlock(for: turn, of: feeder) }
        // To the writer all are one feeder.
        return try pool.newBatch(of: 0, isLarge: isLarge)
    }

    /// Continues the open file in a new block, with the same writer.
    private mutating func goOn() throws(UnderstudyError) {
        let full = batch!
        submit(full)
        if let turns, let turn { try turns.claimBlock(for: turn, of: feeder) }
        batch = try pool.nextBatch(after: full)
    }

    private mutating func submit(_ full: WriteBatch<Output.Place>) {
        if let turns, let turn { turns.submit(full, of: turn) } else { pool.submit(full) }
        batch = nil
    }
}
