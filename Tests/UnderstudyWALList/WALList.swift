import Glibc
import UnderstudyVerification
import UnderstudyWAL
import UnderstudyWALRecords

/// Prints the records of a range of WAL, a line each, as far as `pg_waldump` tells the same of them:
///
///     UnderstudyWALList DIRECTORY TIMELINE START END [TIMELINE START END …]
///
/// With `-q` before the directory it prints what it counted. Exit status 1 if anything is wrong, which it prints to standard
/// error.
@main struct WALList {
    static func main() async throws {
        var words = Array(CommandLine.arguments.dropFirst())
        let isQuiet = words.first == "-q"
        if isQuiet { words.removeFirst() }
        guard words.count >= 4, words.count % 3 == 1 else {
            fail("usage: UnderstudyWALList [-q] DIRECTORY TIMELINE START END [TIMELINE START END …]", 2)
        }
        let ranges = stride(from: 1, to: words.count, by: 3).map { index in
            guard let timeline = UInt32(words[index]), let start = LSN(words[index + 1]),
                let end = LSN(words[index + 2])
            else { fail("no range: \(words[index...index + 2])", 2) }
            return WALRange(timeline: TimelineID(rawValue: timeline), start: start, end: end)
        }
        let verification = WALVerification(of: ranges, in: words[0])
        let result = isQuiet ? try await verification.run() : try await verification.run { print(line($0)) }
        if isQuiet { print("\(result.recordCount) records, \(result.bytes) bytes") }
        for flaw in result.flaws { fail("error in WAL record at \(flaw.position): \(flaw.message)", nil) }
        if !result.flaws.isEmpty { exit(1) }
    }

    /// Resource manager, length without images, length, transaction, position, the position before.
    private static func line(_ record: WALRecord) -> String {
        let length = record.totalLength
        return
            "\(record.resourceManager) \(length - record.imagesLength) \(length) \(record.transaction) \(record.position) \(record.previous)"
    }

    private static func fail(_ message: String, _ status: CInt) -> Never {
        fail(message, nil)
        exit(status)
    }

    private static func fail(_ message: String, _ status: CInt?) {
        var line = "\(message)\n"
        // The buffer is read only while the closure runs.
        line.withUTF8 { _ = unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
