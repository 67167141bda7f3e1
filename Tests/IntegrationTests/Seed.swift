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

    typealias Generator = SplitMix64
}
