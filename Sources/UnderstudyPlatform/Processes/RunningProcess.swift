import CUnderstudyLinux
import Glibc

/// A running process, as the kernel reports it.
///
/// Source: proc(5).
package struct RunningProcess: Sendable, Equatable {
    package let number: Int32
    /// The start time, in ticks since boot. Together with the number it identifies a process uniquely.
    package let began: UInt64
    /// The effective user ID.
    package let user: UInt32

    /// Nil if there is no such process, or if it is a zombie.
    package init?(_ number: Int32) {
        guard number > 0, let process = try? ConfinedDirectory(path: "/proc/\(number)"),
            let began = Self.began(process), let user = Self.user(process)
        else { return nil }
        self.number = number
        self.began = began
        self.user = user
    }

    /// Whether the process is still running.
    package var isAlive: Bool { RunningProcess(number) == self }

    /// Whether the process exists but is hidden from this one (the mount option hidepid of proc(5)).
    package static func isHidden(_ number: Int32) -> Bool {
        guard number > 0, kill(number, 0) == 0 || errno == EPERM else { return false }
        return (try? ConfinedDirectory(path: "/proc/\(number)").read("stat", atMost: 1)) == nil
    }

    /// Whether the process exists, and this one's user may send it no signal: it is another user's.
    package static func isOfAnotherUser(_ number: Int32) -> Bool {
        number > 0 && kill(number, 0) != 0 && errno == EPERM
    }

    /// The current time, on the clock of process start times: the start time of a thread created for this. In a
    /// container, any other clock may differ. If no thread can be created, the start time of this process.
    package static func now() -> UInt64? {
        let began = Monitor<UInt64?>(nil)
        let thread = try? OwnThread("clock") {
            let now = (try? ConfinedDirectory(path: "/proc/thread-self")).flatMap { Self.began($0) }
            began.update { $0 = now }
        }
        thread?.join()
        return began.read { $0 } ?? RunningProcess(getpid())?.began
    }

    /// The process's working directory; nil if unknown.
    ///
    /// - Parameter owner: A user to become for the look-up, if this process may. Without CAP_SYS_PTRACE, as in a
    ///   container, root sees less of a user's processes than that user.
    package func workingDirectory(owner: FileOwner?) -> FileIdentity? {
        let path = "/proc/\(number)/cwd"
        var info = stat(), place = understudy_file_place()
        // Each call fills its struct.
        if unsafe stat(path, &info) == 0 { return FileIdentity(info) }
        guard let owner, unsafe understudy_locate_as(path, owner.user, owner.group, &place) == 0 else { return nil }
        return FileIdentity(device: place.device, inode: place.inode)
    }

    /// Field 22 of `stat`. Field 2 is in parentheses and may contain anything. Nil for a process that has ended (Z, X).
    private static func began(_ process: ConfinedDirectory) -> UInt64? {
        guard let bytes = try? process.read("stat", atMost: 4096), let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let state = fields[0].first, ![UInt8(ascii: "Z"), UInt8(ascii: "X")].contains(state)
        else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self))
    }

    /// The second number in the line `Uid:` of `status`.
    private static func user(_ process: ConfinedDirectory) -> UInt32? {
        guard let bytes = try? process.read("status", atMost: 4096) else { return nil }
        let line = bytes.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: Array("Uid:".utf8)) }
        guard let line else { return nil }
        let fields = line.split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
        return fields.count > 2 ? UInt32(String(decoding: fields[2], as: UTF8.self)) : nil
    }
}
