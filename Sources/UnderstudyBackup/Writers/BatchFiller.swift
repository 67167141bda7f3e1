import UnderstudyCore
import UnderstudyPlatform

/// Fills batches for the writers on the network thread: content is copied once, into their blocks.
struct BatchFiller<Output: MemberOutput & ~Copyable> {
    private let pool: WritePool<Output>
    private let feeder: Int
    private var batch: WriteBatch<Output.Place>?

    init(pool: WritePool<Output>) {
        self.pool = pool
        feeder = pool.addFeeder()
    }

    /// Begins a file. A large one begins a new batch, so that its pieces stay aligned for direct writes.
    mutating func open(_ file: FileToWrite<Output.Place>) throws(UnderstudyError) {
        if let batch,
            file.count >= OutputFile.directThreshold || file.count > UInt64(batch.block.room) || file.piece != nil
                || batch.commands.count >= WriteBatch<Output.Place>.mostCommands
        {
            submit(batch)
        }
        if batch == nil { batch = try pool.newBatch(of: feeder, isLarge: file.count >= OutputFile.directThreshold) }
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
            if batch == nil { batch = try pool.newBatch(of: feeder, isLarge: false) }
            if batch!.block.room == 0 { try goOn() }
            let start = batch!.block.count
            let count = batch!.block.append(rest)
            batch!.commands.append(.kept(start..<start + count, in: place))
            rest = rest.extracting(count...)
        }
    }

    mutating func close() {
        batch!.commands.append(.close)
    }

    /// Submits the current batch, and waits until everything is written.
    mutating func drain() throws(UnderstudyError) {
        if let batch { submit(batch) }
        try pool.drain()
    }

    /// Continues the open file in a new block, with the same writer.
    private mutating func goOn() throws(UnderstudyError) {
        let full = batch!
        submit(full)
        batch = try pool.nextBatch(after: full)
    }

    private mutating func submit(_ full: WriteBatch<Output.Place>) {
        pool.submit(full)
        batch = nil
    }
}
