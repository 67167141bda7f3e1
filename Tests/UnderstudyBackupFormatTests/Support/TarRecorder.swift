import UnderstudyBackupFormat

/// Keeps the members of an archive, and checks the order of the events.
struct TarRecorder: TarSink {
    typealias Failure = BackupFormatError

    struct Member: Hashable {
        var entry: TarEntry
        var content: [UInt8] = []
        var isEnded = false
    }

    var members: [Member] = []

    mutating func begin(_ entry: TarEntry) throws(BackupFormatError) {
        precondition(members.last?.isEnded ?? true)
        members.append(Member(entry: entry))
    }

    mutating func content(_ bytes: RawSpan) throws(BackupFormatError) {
        precondition(!bytes.isEmpty && members.last?.isEnded == false)
        // The buffer is read only while the closure runs.
        unsafe bytes.withUnsafeBytes { unsafe members[members.count - 1].content += $0 }
    }

    mutating func end() throws(BackupFormatError) {
        precondition(members.last?.isEnded == false)
        members[members.count - 1].isEnded = true
    }

    static func read(
        _ bytes: [UInt8], _ cut: Cut = .whole, expectsTrailer: Bool = false
    ) throws(BackupFormatError) -> [Member] {
        var reader = TarReader(expectsTrailer: expectsTrailer)
        var recorder = TarRecorder()
        for range in cut.ranges(of: bytes.count) {
            try reader.consume(bytes.rawSpan.extracting(range), into: &recorder)
        }
        try reader.finish()
        return recorder.members
    }
}
