import UnderstudyTestSupport

/// One lie: how the program is called, what it is told, and what must not come of it. All of it follows from two numbers.
struct Lie: Sendable {
    let number: Int
    var release: Release
    var order: Order
    var tale: Tale
    /// What is false.
    var says: [String] = []
    /// It ends with 0 only if nothing of it is believed: it has to be refused.
    var mustFail: String?
    /// Nothing false: it has to end with 0.
    var isTruth: Bool { says.isEmpty }
    /// The content of files may be another, for no checksum tells.
    var contentMayDiffer = false
    /// WAL is not what it was.
    var walMayDiffer = false
    /// The server says that it is of another version, which decides what is asked of it, and how.
    var isOtherVersion = false
    /// A tablespace is elsewhere than the truth has it.
    var isPlaceMoved = false
    /// Bytes of an answer are others, whatever that makes of it.
    var isWireChanged = false
    /// It goes on without end, or stops in the midst, until a signal comes so long after that.
    var delay: Duration?
    var signal: Int32
    var moment: Moment

    init(seed: UInt64, number: Int, place: Place, canStart: Bool, stranger: Int, bystander: Int32) {
        self.number = number
        // The first numbers of seeds that are close to each other are not.
        var mixer = SplitMix64(state: seed)
        var random = SplitMix64(state: mixer.next() ^ UInt64(number) &* 0xD134_2543_DE82_EF95)
        let release = Release.allCases.randomElement(using: &random)!
        self.release = release
        order = Order(&random, release, place, canStart: canStart)
        tale = Tale(release, space: "\(place.elsewhere)/space")
        signal = one(in: 3, &random) ? 2 : 15
        delay = .milliseconds(Int.random(in: 0...150, using: &random))
        moment = Moment(delay: delay)
        contentMayDiffer = order.makesCopy && !order.hasManifest
        if one(in: 50, &random), order.kind != .start { return }
        let around = Mutation.Around(place: place, stranger: stranger, bystander: bystander)
        for _ in 0..<(one(in: 4, &random) ? Int.random(in: 2...3, using: &random) : 1) {
            says.append(Mutation.pick(for: self, &random).apply(&self, &random, around))
        }
    }

    /// The same call, told the truth.
    func truth(_ place: Place) -> Lie {
        var lie = self
        lie.tale = Tale(release, space: "\(place.elsewhere)/space")
        lie.says = []
        lie.moment = Moment(delay: nil)
        return lie
    }
}
