import Glibc

/// A page-aligned buffer of fixed size, filled from the front. Bytes are passed to a writer in blocks.
@safe package final class Block: @unchecked Sendable {
    // Sendable: a block has one holder at a time. The pool passes it to the filler, the filler to a writer's queue, the
    // writer back to the pool; each transfer goes through a Monitor.
    private let memory: UnsafeMutableRawPointer
    package let capacity: Int
    package private(set) var count = 0

    /// The alignment that O_DIRECT requires of memory, offsets and lengths on all common devices.
    package static let alignment = 4096

    /// From this size on memory is mapped, so that all of it goes back to the system with the block. What malloc(3)
    /// hands out may stay with the process.
    private static let mappedSize = 1 << 18

    /// - Parameter capacity: In bytes; rounded down to a multiple of ``alignment``.
    /// - Throws: If there is not enough memory.
    package init(capacity: Int) throws(FileIOError) {
        self.capacity = Self.whole(capacity)
        // aligned_alloc requires a size that is a multiple of the alignment. Swift's own allocation would end the
        // process if memory is short. Pages, and so mappings, have a multiple of 4 kB.
        let memory =
            self.capacity >= Self.mappedSize
            ? unsafe mmap(nil, self.capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            : unsafe aligned_alloc(Self.alignment, max(Self.alignment, self.capacity))
        guard let memory = unsafe memory, UInt(bitPattern: memory) != .max else {
            throw FileIOError("could not allocate", "\(capacity) bytes", number: ENOMEM)
        }
        unsafe self.memory = memory
    }

    /// A block of at least so many zeros.
    convenience init(zeros: Int) throws(FileIOError) {
        try self.init(capacity: zeros + Self.alignment - 1)
        // The memory has `capacity` bytes, and nobody else knows it yet.
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: capacity)
        count = capacity
    }

    deinit {
        // As it was allocated.
        if capacity >= Self.mappedSize { unsafe munmap(memory, capacity) } else { unsafe free(memory) }
    }

    /// The largest multiple of ``alignment`` up to `count`: where the part ends that can be written with O_DIRECT.
    package static func whole(_ count: Int) -> Int { count - count % alignment }

    package var room: Int { capacity - count }

    /// Copies as much of `bytes` as fits, and returns that number of bytes.
    package func append(_ bytes: RawSpan) -> Int {
        let length = min(bytes.byteCount, room)
        guard length > 0 else { return 0 }
        // `length` bytes are readable in the span and writable after `count`: both were just compared.
        unsafe bytes.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            unsafe memory.advanced(by: count).copyMemory(from: start, byteCount: length)
        }
        count += length
        return length
    }

    /// Appends bytes of a file from an offset on; fewer than the limit if the file ends. There must be room for them.
    package func append(
        from file: borrowing FileDescriptor, at offset: Int64, atMost limit: Int, path: @autoclosure () -> String
    ) throws(FileIOError) {
        precondition(limit <= room, "no room in a block for what is read")
        let end = count + limit, start = count
        while count < end {
            // At most the rest of what was asked for is written, which lies within the memory.
            let result = SystemCall.run {
                unsafe pread(file.rawValue, memory + count, end - count, off_t(offset) + off_t(count - start))
            }
            let got = try result.orThrow("could not read file", path())
            if got == 0 { return }
            count += got
        }
    }

    package func clear() {
        count = 0
    }

    /// The bytes appended so far.
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // The first `count` bytes were written by append; the memory lives as long as self.
            let span = unsafe RawSpan(_unsafeStart: memory, byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

/// A fixed number of blocks, which bounds the memory: if none is free, the caller waits until a writer returns one.
package final class BlockPool: Sendable {
    private struct State {
        var free: [Block] = []
        var made = 0
        /// The maximum number of blocks: fewer than requested if memory ran out.
        var limit: Int
    }

    private let state: Monitor<State>
    private let blockSize: Int

    package init(blocks: Int, blockSize: Int) {
        state = Monitor(State(limit: blocks))
        self.blockSize = blockSize
    }

    /// Makes all blocks now, so that memory that runs out later takes none away.
    ///
    /// - Returns: How many there are: fewer than requested if there is no memory for more.
    /// - Throws: If there is no memory for even one block.
    package func makeAll() throws(FileIOError) -> Int {
        let made = state.update { state -> Result<Int, FileIOError> in
            while state.made < state.limit {
                do throws(FileIOError) { state.free.append(try Block(capacity: self.blockSize)) } catch {
                    if state.made == 0 { return .failure(error) }
                    state.limit = state.made
                    break
                }
                state.made += 1
            }
            return .success(state.made)
        }
        return try made.get()
    }

    /// An empty block. Waits at most `timeout` until one is free.
    ///
    /// If there is no memory for another block, the existing ones are reused.
    ///
    /// - Returns: nil if the timeout passed.
    /// - Throws: If there is no memory for even one block.
    package func take(timeout: Duration? = nil) throws(FileIOError) -> Block? {
        let taken = state.wait(timeout: timeout) { state -> Result<Block, FileIOError>? in
            if let block = state.free.popLast() { return .success(block) }
            guard state.made < state.limit else { return nil }
            do throws(FileIOError) {
                let block = try Block(capacity: self.blockSize)
                state.made += 1
                return .success(block)
            } catch {
                if state.made == 0 { return .failure(error) }
                state.limit = state.made
                return nil
            }
        }
        return try taken?.get()
    }

    package func give(back block: Block) {
        block.clear()
        state.update { $0.free.append(block) }
    }
}
