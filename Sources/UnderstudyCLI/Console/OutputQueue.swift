/// What is to be written to one stream and was not yet: bounded, and what has waited longest is given up first. Pure.
struct OutputQueue: Sendable {
    private struct Text {
        /// Grows with each text, on whatever stream.
        var number: Int
        var bytes: [UInt8]
    }

    /// The most bytes that wait; the newest text is kept whatever its size.
    let limit: Int
    private var texts: [Text] = []
    /// Where those begin that still wait, which spares moving the others.
    private var first = 0
    private var waiting = 0
    /// How many texts were given up since that was last told.
    private var dropped = 0
    /// The rest of the text that is being written.
    private var current: ArraySlice<UInt8> = []
    private var currentNumber = 0

    init(limit: Int) {
        self.limit = limit
    }

    var isEmpty: Bool { number == nil }

    /// The number of the text that comes next; nil if there is none.
    var number: Int? {
        if !current.isEmpty { return currentNumber }
        return first < texts.count ? texts[first].number : nil
    }

    mutating func append(_ text: String, number: Int) {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { return }
        texts.append(Text(number: number, bytes: bytes))
        waiting += bytes.count
        while waiting > limit, first < texts.count - 1 {
            _ = takeFirst()
            dropped += 1
        }
    }

    /// The next bytes to be written; empty if there are none.
    ///
    /// - Parameter notice: Says how many texts were given up before what follows; nil where nothing is to be said of it.
    mutating func next(atMost count: Int, notice: (Int) -> String?) -> ArraySlice<UInt8> {
        if current.isEmpty, let number {
            let lost = dropped
            dropped = 0
            if lost > 0, let text = notice(lost) {
                current = Array(text.utf8)[...]
            } else {
                current = takeFirst()[...]
            }
            currentNumber = number
        }
        return current.prefix(count)
    }

    /// So many of the bytes that ``next(atMost:notice:)`` has returned were written.
    mutating func remove(_ count: Int) {
        current = current.dropFirst(count)
    }

    private mutating func takeFirst() -> [UInt8] {
        let bytes = texts[first].bytes
        texts[first].bytes = []
        first += 1
        waiting -= bytes.count
        if first == texts.count || first >= 1024 {
            texts.removeFirst(first)
            first = 0
        }
        return bytes
    }
}
