/// Text that waits to be written to one stream. Bounded: the oldest text is dropped first. Does no I/O.
struct OutputQueue: Sendable {
    private struct Text {
        /// Increases with each text, across both streams.
        var number: Int
        var bytes: [UInt8]
    }

    /// The most bytes that wait; the newest text is kept whatever its size.
    let limit: Int
    private var texts: [Text] = []
    /// The index of the first text that still waits, so that the others need not be moved.
    private var first = 0
    private var waiting = 0
    /// The number of texts dropped since the last notice.
    private var dropped = 0
    /// The rest of the text being written.
    private var current: ArraySlice<UInt8> = []
    private var currentNumber = 0

    init(limit: Int) {
        self.limit = limit
    }

    var isEmpty: Bool { number == nil }

    /// The number of the next text; nil if there is none.
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
    /// - Parameter notice: The text for a number of texts dropped before the next one; nil to report nothing.
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

    /// Removes bytes that were written, of those that ``next(atMost:notice:)`` returned.
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
