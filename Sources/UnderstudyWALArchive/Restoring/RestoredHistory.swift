import UnderstudyStreaming
import UnderstudyWAL

/// A history file of an archive, which is whole and says what a server can use.
struct RestoredHistory {
    let content: [UInt8]
    let history: TimelineHistory

    init(_ timeline: TimelineID, _ file: StoredFile) throws(WALDestinationError) {
        do throws(WALDestinationError) { content = try file.content(atMost: TimelineHistory.longestFile) } catch {
            throw error.cause == nil ? Self.advised(error) : error
        }
        do throws(TimelineHistoryError) { history = try TimelineHistory(parsing: content, of: timeline) } catch {
            throw Self.advised(file.damaged(content.isEmpty ? "It is empty." : error.detail))
        }
    }

    private static func advised(_ error: WALDestinationError) -> WALDestinationError {
        var error = error
        error.hint =
            "Put an intact copy in its place, from another archive or from pg_wal of a server that is or was on that timeline."
        return error
    }
}
