import Foundation

/// What the command line asks for; `scripts/lies --help` says it in words.
struct Options {
    var count = 10_000
    var seed: UInt64 = 1
    /// The one lie to tell.
    var only: Int?
    var first = 1
    var slots = 16
    var program = ""
    var directory = ""
    /// Where pg_ctl of version 16 is, for lies that a start is built on.
    var binDirectory: String?
    /// Whether each lie is said.
    var isVerbose = false

    init(_ arguments: [String]) {
        var rest = arguments.dropFirst()
        func number(_ name: String) -> Int {
            guard let word = rest.popFirst(), let value = Int(word), value >= 0 else {
                Self.fail("\(name) needs a number")
            }
            return value
        }
        func text(_ name: String) -> String {
            guard let word = rest.popFirst() else { Self.fail("\(name) needs a value") }
            return word
        }
        while let word = rest.popFirst() {
            switch word {
            case "--count": count = number(word)
            case "--seed": seed = UInt64(number(word))
            case "--only": only = number(word)
            case "--first": first = number(word)
            case "--slots": slots = max(1, number(word))
            case "--program": program = text(word)
            case "--directory": directory = text(word)
            case "--bin-dir": binDirectory = text(word)
            case "--verbose": isVerbose = true
            default: Self.fail("\(word) is no option; see scripts/lies --help")
            }
        }
        guard !program.isEmpty, !directory.isEmpty else { Self.fail("--program and --directory are needed") }
    }

    static func fail(_ message: String) -> Never {
        FileHandle.standardError.write(Data("lies: \(message)\n".utf8))
        exit(2)
    }
}
