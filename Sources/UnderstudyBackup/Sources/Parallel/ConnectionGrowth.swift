/// Decides how many connections copy: more are added as long as each step brings more bytes in the same time.
///
/// Pure: it is told what has come by when. After each step it waits until the new connections copy, lets them warm up, and
/// measures then. A step that has not brought a quarter of what as many connections brought before is measured once more; if it
/// still has not, it was the last one. The rate is that of windows which are long enough both in time and in bytes, as a
/// server's pace is uneven.
struct ConnectionGrowth {
    private enum Stage {
        case warmingUp
        case measuring
        /// The last step brought too little, or seemed to.
        case doubting(rate: Double)
    }

    /// How many are wanted so far.
    private(set) var count: Int
    /// Whether no more will be.
    private(set) var isSettled = false
    private let most: Int
    private var stage = Stage.warmingUp
    /// The last time and count from which on is measured.
    private var begin: (time: Duration, bytes: UInt64)?
    /// What the connections before the last step brought.
    private var before: (count: Int, rate: Double)?

    private static let window = (time: Duration.milliseconds(500), bytes: UInt64(32 << 20))
    private static let warmUp = (time: Duration.milliseconds(250), bytes: UInt64(8 << 20))
    private static let worth = 0.25

    /// - Parameters:
    ///   - count: How many there are.
    ///   - most: How many there may be.
    init(from count: Int, to most: Int) {
        self.count = count
        self.most = most
        isSettled = count >= most
    }

    /// No more connections are to be had, or to be used.
    mutating func settle() { isSettled = true }

    /// - Parameters:
    ///   - bytes: All that have come.
    ///   - time: Since a fixed moment.
    ///   - copying: How many connections copy now. Fewer than ``count`` are being opened, or have nothing left to do.
    ///   - isHeldBack: Whether a limit of the rate was reached.
    /// - Returns: How many are to be added now.
    mutating func note(bytes: UInt64, at time: Duration, copying: Int, isHeldBack: Bool = false) -> Int {
        if isHeldBack { settle() }
        guard !isSettled else { return 0 }
        guard copying >= count else {
            stage = .warmingUp
            begin = nil
            return 0
        }
        guard let begin else {
            self.begin = (time, bytes)
            return 0
        }
        let window = if case .warmingUp = stage { Self.warmUp } else { Self.window }
        guard time - begin.time >= window.time, bytes >= begin.bytes, bytes - begin.bytes >= window.bytes else {
            return 0
        }
        let rate = Double(bytes - begin.bytes) / ((time - begin.time) / .seconds(1))
        self.begin = (time, bytes)
        switch stage {
        case .warmingUp:
            stage = .measuring
            return 0
        case .measuring: return judge(rate, isLast: false)
        case .doubting(let first): return judge(max(first, rate), isLast: true)
        }
    }

    private mutating func judge(_ rate: Double, isLast: Bool) -> Int {
        if let before, rate < before.rate * (1 + Self.worth * (Double(count) / Double(before.count) - 1)) {
            if isLast { settle() } else { stage = .doubting(rate: rate) }
            return 0
        }
        let step = min(most - count, max(2, count / 2))
        guard step > 0 else {
            settle()
            return 0
        }
        before = (count, rate)
        count += step
        stage = .warmingUp
        begin = nil
        return step
    }
}
