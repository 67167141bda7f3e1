/// Names, one behind another in one buffer: four bytes for each beside its own.
struct NameList: RandomAccessCollection, Sendable {
    private var bytes: [UInt8] = []
    /// Where each name ends, which is where the next one begins.
    private var ends: [UInt32] = []

    static let mostBytes = Int(UInt32.max)

    var startIndex: Int { 0 }
    var endIndex: Int { ends.count }

    subscript(index: Int) -> ArraySlice<UInt8> {
        bytes[(index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])]
    }

    /// Whether names of so many bytes have room.
    func hasRoom(for count: Int) -> Bool { bytes.count + count <= Self.mostBytes }

    /// Only if it ``hasRoom(for:)``.
    mutating func append(_ name: some Collection<UInt8>) {
        bytes.append(contentsOf: name)
        ends.append(UInt32(bytes.count))
    }
}
