/// What to do about an error: whole sentences, and the options of this library that they name.
///
/// The sentences are written once; how an option is named is up to who shows them. ``description`` names it as a Swift
/// program sets it. A program with options of its own, such as a command line, puts in its own words:
///
/// ```swift
/// let text = remedy.text { step in step == .forceClean ? "the box \"Clean first\"" : "\(step)" }
/// ```
///
/// A string literal makes one: `"Set \(.stallTimeout), or wait."`.
public struct Remedy: Hashable, Sendable {
    private enum Piece: Hashable, Sendable {
        case text(String)
        case step(Step)
    }

    private var pieces: [Piece] = []

    /// Sentences without an option.
    public init(_ text: String) {
        append(.text(text))
    }

    /// The options that the sentences name, in their order.
    public var steps: [Step] {
        pieces.compactMap { piece in
            if case .step(let step) = piece { step } else { nil }
        }
    }

    /// The sentences, with the given words for each option.
    public func text(_ words: (Step) -> String) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .step(let step): words(step)
            }
        }.joined()
    }

    public static func + (first: Remedy, second: Remedy) -> Remedy {
        var sum = first
        second.pieces.forEach { sum.append($0) }
        return sum
    }

    /// Joins neighbouring texts, so that equal sentences are equal values.
    private mutating func append(_ piece: Piece) {
        switch (pieces.last, piece) {
        case (_, .text("")): break
        case (.text(let last), .text(let text)): pieces[pieces.count - 1] = .text(last + text)
        default: pieces.append(piece)
        }
    }
}

extension Remedy: CustomStringConvertible {
    public var description: String { text(\.description) }
}

extension Remedy: ExpressibleByStringInterpolation {
    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var remedy = Remedy("")

        public init(literalCapacity: Int, interpolationCount: Int) {}

        public mutating func appendLiteral(_ text: String) { remedy.append(.text(text)) }
        public mutating func appendInterpolation(_ step: Step) { remedy.append(.step(step)) }
        public mutating func appendInterpolation(_ other: Remedy) { remedy = remedy + other }
        public mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            remedy.append(.text(value.description))
        }
    }

    public init(stringLiteral text: String) { self.init(text) }
    public init(stringInterpolation: StringInterpolation) { self = stringInterpolation.remedy }
}
