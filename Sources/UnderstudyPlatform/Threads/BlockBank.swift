import CUnderstudyLinux

/// The blocks of all WAL streams of a process: a bounded number, shared fairly.
///
/// Streams whose blocks go to one place are a group. A place that hangs keeps the blocks that are on their way to it, so
/// no group may have more than its part of all while there are others; and each may have one or two at any time, even
/// beyond the total, so that a new one can begin. Within that, a block that becomes free goes to who waits with the
/// fewest. Blocks that nobody needed for some seconds go back to the system.
package final class BlockBank: Sendable {
    /// That of this process: 256 MB.
    package static let shared = BlockBank(blocks: 256, blockSize: 1 << 20, timers: .shared)

    private static let trimInterval = Duration.seconds(5)
    private static let manyBlocks = 16

    private struct Group {
        var members = 0
        var inUse = 0
    }

    /// The account of a ``BlockShare``.
    private struct Account {
        var group: ObjectIdentifier
        var limit: Int
        var held = 0
    }

    /// Someone who waits for a block.
    private final class Waiter: Sendable {
        let share: ObjectIdentifier
        /// Whether there is no memory to make a block.
        let needsFree: Bool
        let grant = Monitor<Grant?>(nil)

        init(_ share: ObjectIdentifier, needsFree: Bool) {
            self.share = share
            self.needsFree = needsFree
        }
    }

    private enum Grant: Sendable {
        case block(Block)
        /// To make one.
        case permission
    }

    private struct State {
        var groups: [ObjectIdentifier: Group] = [:]
        var accounts: [ObjectIdentifier: Account] = [:]
        var free: [Block] = []
        var inUse = 0
        /// In the order in which they came.
        var waiters: [Waiter] = []
        /// The fewest free blocks since the last look.
        var leastFree = 0
        var hasTimer = false
    }

    private let state = Monitor(State())
    private let total: Int
    private let blockSize: Int
    private let timers: Timers

    package init(blocks: Int, blockSize: Int, timers: Timers) {
        total = blocks
        self.blockSize = blockSize
        self.timers = timers
    }

    /// How many blocks there are, in use or free.
    package var blockCount: Int { state.read { $0.inUse + $0.free.count } }

    /// How many streams wait for one.
    var waiterCount: Int { state.read { $0.waiters.count } }

    fileprivate func enter(_ share: BlockShare, group: ObjectIdentifier, limit: Int) {
        state.change { state in
            state.groups[group, default: Group()].members += 1
            state.accounts[ObjectIdentifier(share)] = Account(group: group, limit: limit)
        }
    }

    /// What the share still holds is freed by whoever holds it.
    fileprivate func leave(_ share: BlockShare) {
        state.change { state in
            guard let account = state.accounts.removeValue(forKey: ObjectIdentifier(share)) else { return }
            state.inUse -= account.held
            state.groups[account.group]?.inUse -= account.held
            state.groups[account.group]?.members -= 1
            if state.groups[account.group]?.members == 0 { state.groups[account.group] = nil }
            serve(&state)
        }
    }

    fileprivate func take(_ share: BlockShare, timeout: Duration?) throws(FileIOError) -> Block? {
        let id = ObjectIdentifier(share)
        var grant = state.change { self.grant(id, &$0) }
        var needsFree = false
        while true {
            grant = grant ?? waitForGrant(Waiter(id, needsFree: needsFree), timeout: timeout)
            switch grant {
            case nil: return nil
            case .block(let block): return block
            case .permission:
                if let block = try make(id) { return block }
                grant = nil
                needsFree = true
            }
        }
    }

    private func waitForGrant(_ waiter: Waiter, timeout: Duration?) -> Grant? {
        let grant = state.change { state -> Grant? in
            state.waiters.append(waiter)
            serve(&state)
            return waiter.grant.read { $0 }
        }
        if let grant = grant ?? waiter.grant.wait(timeout: timeout, until: { $0 }) { return grant }
        state.change { $0.waiters.removeAll { $0 === waiter } }
        // It may have come in between.
        return waiter.grant.read { $0 }
    }

    /// - Returns: nil if there is no memory for it, but there are other blocks.
    private func make(_ share: ObjectIdentifier) throws(FileIOError) -> Block? {
        do throws(FileIOError) { return try Block(capacity: blockSize) } catch {
            let hasOthers = state.change { state in
                release(share, &state)
                return state.inUse + state.free.count > 0
            }
            guard hasOthers else { throw error }
            return nil
        }
    }

    fileprivate func give(back block: Block, _ share: BlockShare) {
        block.clear()
        let needsTimer = state.change { state in
            release(ObjectIdentifier(share), &state)
            // One beyond the total is freed.
            if state.inUse + state.free.count < total { state.free.append(block) }
            serve(&state)
            guard !state.hasTimer, !state.free.isEmpty else { return false }
            state.hasTimer = true
            state.leastFree = 0
            return true
        }
        if needsTimer { timers.after(Self.trimInterval) { [weak self] in self?.trim() } }
    }

    private func release(_ share: ObjectIdentifier, _ state: inout State) {
        guard let account = state.accounts[share] else { return }
        precondition(account.held > 0, "a block was given back that nobody had")
        state.accounts[share]?.held -= 1
        state.groups[account.group]?.inUse -= 1
        state.inUse -= 1
    }

    /// Hands out what is free now.
    private func serve(_ state: inout State) {
        while true {
            var next: Int?
            for (index, waiter) in state.waiters.enumerated() {
                guard mayTake(waiter.share, state), !waiter.needsFree || !state.free.isEmpty else { continue }
                if next == nil || held(waiter, state) < held(state.waiters[next!], state) { next = index }
            }
            guard let next, let grant = grant(state.waiters[next].share, &state) else { return }
            state.waiters.remove(at: next).grant.update { $0 = grant }
        }
    }

    private func held(_ waiter: Waiter, _ state: State) -> Int { state.accounts[waiter.share]?.held ?? 0 }

    private func mayTake(_ share: ObjectIdentifier, _ state: State) -> Bool {
        guard let account = state.accounts[share], account.held < account.limit,
            let group = state.groups[account.group]
        else { return false }
        let part = total / state.groups.count
        return group.inUse < max(1, min(2, part / 2)) || (state.inUse < total && group.inUse < part)
    }

    private func grant(_ share: ObjectIdentifier, _ state: inout State) -> Grant? {
        guard mayTake(share, state), let group = state.accounts[share]?.group else { return nil }
        state.accounts[share]?.held += 1
        state.groups[group]?.inUse += 1
        state.inUse += 1
        guard let block = state.free.popLast() else {
            state.leastFree = 0
            return .permission
        }
        state.leastFree = min(state.leastFree, state.free.count)
        return .block(block)
    }

    /// Frees the blocks that nobody has needed since the last time. Called by the timer; tests call it.
    func trim() {
        let (unneeded, isOver) = state.change { state -> ([Block], Bool) in
            // The oldest ones: the newest are warm.
            let unneeded = Array(state.free.prefix(state.leastFree))
            state.free.removeFirst(unneeded.count)
            state.leastFree = state.free.count
            state.hasTimer = !state.free.isEmpty
            return (unneeded, state.free.isEmpty)
        }
        let freed = unneeded.count
        _ = consume unneeded
        // What else a burst has left, such as libpq's buffers while they grew. Not worth it after less.
        if freed >= Self.manyBlocks { understudy_return_free_memory() }
        if !isOver { timers.after(Self.trimInterval) { [weak self] in self?.trim() } }
    }
}

/// A stream's share in the blocks of a process.
package final class BlockShare: Sendable {
    private let bank: BlockBank
    /// Kept, because it tells the groups apart.
    private let group: any AnyObject & Sendable

    /// - Parameters:
    ///   - group: Stands for the place where the blocks go.
    ///   - limit: The most blocks that it may hold.
    package init(_ bank: BlockBank, group: some AnyObject & Sendable, limit: Int) {
        self.bank = bank
        self.group = group
        bank.enter(self, group: ObjectIdentifier(group), limit: limit)
    }

    deinit {
        bank.leave(self)
    }

    /// An empty block. Waits at most `timeout` until one is free.
    ///
    /// If there is no memory for another block, it waits for one that others give back.
    ///
    /// - Returns: nil if the timeout passed.
    /// - Throws: If there is no memory for even one block.
    package func take(timeout: Duration? = nil) throws(FileIOError) -> Block? {
        try bank.take(self, timeout: timeout)
    }

    package func give(back block: Block) {
        bank.give(back: block, self)
    }
}
