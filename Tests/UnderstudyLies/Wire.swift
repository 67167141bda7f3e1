import UnderstudyTestSupport

/// Messages in the bytes that a server sends.
enum Wire {
    /// Whole messages; what follows the last one that is whole comes last.
    static func messages(_ bytes: [UInt8]) -> [[UInt8]] {
        var messages: [[UInt8]] = [], start = 0
        while start < bytes.count {
            guard start + 5 <= bytes.count else { break }
            let length = bytes[start + 1..<start + 5].reduce(0) { $0 << 8 | Int($1) }
            guard length >= 4, start + 1 + length <= bytes.count else { break }
            messages.append(Array(bytes[start..<start + 1 + length]))
            start += 1 + length
        }
        if start < bytes.count { messages.append(Array(bytes[start...])) }
        return messages
    }

    /// A message of WAL as two.
    static func split(_ message: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        guard message.count > 31, message[0] == UInt8(ascii: "d"), message[5] == UInt8(ascii: "w") else {
            return message
        }
        let start = message[6..<14].reduce(0) { $0 << 8 | UInt64($1) }
        let content = Array(message[30...])
        let cut = Int.random(in: 0...content.count, using: &random)
        var bytes = ServerBytes()
        bytes.wal(at: start, Array(content[..<cut]))
        bytes.wal(at: start &+ UInt64(cut), Array(content[cut...]))
        return bytes.bytes
    }

    /// A field of a DataRow replaced; nil for another message.
    static func row(_ message: [UInt8], with value: String, _ choice: Int) -> [UInt8]? {
        guard message.count > 7, message[0] == UInt8(ascii: "D") else { return nil }
        let columns = Int(message[5]) << 8 | Int(message[6])
        guard columns > 0 else { return nil }
        var body = Array(message[5..<7]), place = 7
        for column in 0..<columns {
            guard place + 4 <= message.count else { return nil }
            let length = Int32(truncatingIfNeeded: message[place..<place + 4].reduce(0) { $0 << 8 | Int($1) })
            let end = place + 4 + Int(max(0, length))
            guard end <= message.count else { return nil }
            let isMeant = column == choice % columns
            body +=
                isMeant
                ? ServerBytes.integer(UInt32(value.utf8.count)) + Array(value.utf8) : Array(message[place..<end])
            place = end
        }
        var bytes = ServerBytes()
        bytes.message("D", body)
        return bytes.bytes
    }
}
