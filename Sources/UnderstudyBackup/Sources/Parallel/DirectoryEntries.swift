import UnderstudyCore

/// What is in a directory of the server.
struct DirectoryEntries {
    var names = NameList()
    var sizes: [UInt64] = []
    var isDirectory: [Bool] = []
    var times: [Int64] = []

    /// A file system may show a name again whose file was made anew meanwhile: the first one counts.
    mutating func dropRepeated() throws(UnderstudyError) {
        let names = names
        let order = names.indices.sorted { one, other in
            let (first, second) = (names[one], names[other])
            return first.elementsEqual(second) ? one < other : first.lexicographicallyPrecedes(second)
        }
        let repeated = Set(zip(order, order.dropFirst()).filter { names[$0].elementsEqual(names[$1]) }.map { $1 })
        guard !repeated.isEmpty else { return }
        let all = self
        self = DirectoryEntries()
        for index in all.names.indices where !repeated.contains(index) { try append(all, index) }
    }

    private mutating func append(_ other: DirectoryEntries, _ index: Int) throws(UnderstudyError) {
        try append(other.names[index], other.sizes[index], other.isDirectory[index], other.times[index])
    }

    mutating func append(_ other: DirectoryEntries) throws(UnderstudyError) {
        for index in other.names.indices { try append(other, index) }
    }

    mutating func append(
        _ name: some Collection<UInt8>, _ size: UInt64, _ isDirectory: Bool, _ time: Int64
    ) throws(UnderstudyError) {
        guard sizes.count < FileTable.mostFiles, names.hasRoom(for: name.count) else { throw FileTable.endless }
        names.append(name)
        sizes.append(size)
        self.isDirectory.append(isDirectory)
        times.append(time)
    }
}
