import Glibc
import Understudy
import UnderstudyPlatform

/// Threads and descriptors that the start of a server needs besides those of the copy.
///
/// Programs are run, and waited for, by Swift's own threads. The library beneath them ends the process where it can open no
/// descriptor, and waits without end for a thread that it cannot have.
enum SpareResources {
    private static let threads = 8, descriptors = 24

    /// Looks whether there are enough of both, and gives them back.
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
