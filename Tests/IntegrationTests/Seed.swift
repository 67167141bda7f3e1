import Foundation
import UnderstudyTestSupport

/// Where the random numbers of a run come from.
enum Seed {
    static let value: UInt64 = {
        let text = ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_SEED"]
        return text.flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64(UInt32.max))
    }()

    static func generator() -> Generator { Generator(state: value) }

    /// For what is compared with another program, which may differ in what nobody has looked at: the same each time, unless a
    /// seed is given or the run is thorough.
    static let ofComparison: UInt64 =
        isThorough || ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_SEED"] != nil ? value : 4711

    static let isThorough = PostgresInstallation.isThorough

    static func rounds(short: Int, thorough: Int) -> Int { isThorough ? thorough : short }

    /// SplitMix64.
    struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
