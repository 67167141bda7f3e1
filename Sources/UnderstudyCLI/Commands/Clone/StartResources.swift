import Glibc
import Understudy
import UnderstudyPlatform

/// The threads and descriptors that the start of a server needs besides those of the copy.
///
/// Swift's own threads run programs and wait for them. The library beneath ends the process if it cannot open a
/// descriptor, and waits forever for a thread that cannot be created.
enum StartResources {
    private static let threads = 8, descriptors = 24

    /// Checks that enough of both are available, and releases them.
    static func check() throws(UnderstudyError) {
        var opened: [ConfinedDirectory] = []
        let isOver = Monitor(false)
        var waiting: [OwnThread] = []
        defer {
            isOver.update { $0 = true }
            for thread in waiting { thread.join() }
            opened = []
        }
        do throws(FileIOError) {
            for _ in 0..<descriptors { opened.append(try ConfinedDirectory(path: "/")) }
            for _ in 0..<threads {
                waiting.append(try OwnThread("spare") { _ = isOver.wait { $0 ? true : nil } })
            }
        } catch { throw UnderstudyError(error) }
    }
}
